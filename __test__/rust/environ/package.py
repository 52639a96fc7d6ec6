"""Makes a wheel without any tool: python package.py FOLDER NAME VERSION [REQUIREMENT...]."""

import sys
import zipfile

folder, name, version, *requirements = sys.argv[1:]
module = name.replace("-", "_")
info = f"{module}-{version}.dist-info"
requires = "".join(f"Requires-Dist: {requirement}\n" for requirement in requirements)
files = {
    f"{module}/__init__.py": f"__version__ = {version!r}\n",
    f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
    f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
with zipfile.ZipFile(f"{folder}/{module}-{version}-py3-none-any.whl", "w") as wheel:
    for path, content in files.items():
        wheel.writestr(path, content)
    wheel.writestr(f"{info}/RECORD", record)
