"""What a small service imports. A bare interpreter imports this file and nothing else."""

import asyncio
import csv
import dataclasses
import datetime
import decimal
import json
import logging
import sqlite3
import statistics

MODULES = (
    asyncio,
    csv,
    dataclasses,
    datetime,
    decimal,
    json,
    logging,
    sqlite3,
    statistics,
)
