//! Fuzz targets of the wire and of what reads it. `docs/testing.md` says how to run them.

pub mod targets;
