"""Build step of the Asterisk image: fetches Asterisk as any checkout does, then gives it a name and places that do not
depend on the processor: ROOT/asterisk (the program), ROOT/modules, ROOT/share."""
import shlex
import sys
from pathlib import Path

from telephony.fetch import fetch

root = Path(sys.argv[1])
found = fetch(root, lambda line: print(line, flush=True))
(root / "modules").symlink_to(found.modules)
(root / "share").symlink_to(found.data)
program = root / "asterisk"
program.write_text(f"""#!/bin/sh
# Records and voices are nobody else's.
umask 027
exec {shlex.join(found.loader)} -C /data/asterisk/etc/asterisk.conf "$@"
""")
program.chmod(0o755)
