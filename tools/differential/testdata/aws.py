"""The AWS CLI for many commands: importing it takes a second, each command a
tenth. A line of standard input has the arguments of one, as a JSON array; a line
of standard output has its exit status and what it printed."""

import contextlib
import io
import json
import sys

from awscli import clidriver

for line in sys.stdin:
    sys.argv = ["aws", *json.loads(line)]
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            status = clidriver.main()
        except SystemExit as e:
            status = e.code
    print(json.dumps({"status": status, "stdout": stdout.getvalue(), "stderr": stderr.getvalue()}), flush=True)
