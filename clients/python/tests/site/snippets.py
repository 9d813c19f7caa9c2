"""The code of docs/applications.md: `doorward_headers` and `ProxyAuthentication`."""

import re
from pathlib import Path

_TEXT = (Path(__file__).parents[4] / "docs/applications.md").read_text()

for _heading in ("Django", "Django REST framework"):
    _section = _TEXT.partition(f"\n## {_heading}\n")[2].partition("\n## ")[0]
    [_code] = re.findall(r"^```python\n(.*?)^```$", _section, re.MULTILINE | re.DOTALL)
    exec(_code)
