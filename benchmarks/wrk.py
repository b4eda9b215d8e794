"""``wrk`` as the client: it costs the machine a tenth of what one in Python does."""

import json
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load import FIRST_SECOND, STATUSES, Load, LoadFailed, Result

SCRIPT = """
local n, ids, first_id, begin = {start}, {ids}, {first_id}, {begin}
local statuses = {{{statuses}}}
local path, body, headers = {path}, {body}, {{{headers}}}
local values = {{}}

function request()
  values.n = tostring(n)
  values.i = tostring(first_id + n % ids)
  values.s = statuses[math.floor(n / ids) % #statuses + 1]
  values.t = os.date("!%Y-%m-%dT%H:%M:%SZ", begin + n)
  n = n + 1
  local sent = body and body:gsub("@([nist])@", values)
  return wrk.format({method}, path:gsub("@([nist])@", values), headers, sent)
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\n{{"requests": %d, "seconds": %f, "refused": %d, "broken": %d, "median": %f}}\\n',
    summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1e6))
end
"""


def found() -> bool:
    return shutil.which("wrk") is not None


def drive(load: Load, port: int, seconds: float, start: int) -> Result:
    with TemporaryDirectory() as directory:
        script = Path(directory) / "load.lua"
        script.write_text(lua(load, start))
        ran = subprocess.run(
            [
                "wrk",
                "--threads=1",
                f"--connections={load.connections}",
                f"--duration={max(1, round(seconds))}s",
                "--timeout=30s",
                f"--script={script}",
                f"http://127.0.0.1:{port}",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if ran.returncode:
        raise LoadFailed(f"wrk ended with {ran.returncode}: {ran.stderr or ran.stdout}")
    told = json.loads(ran.stdout.rstrip().rsplit("\n", 1)[-1])
    if told.pop("broken"):
        raise LoadFailed(f"wrk lost connections:\n{ran.stdout}")
    return Result(**told)


def lua(load: Load, start: int) -> str:
    return SCRIPT.format(
        start=start,
        ids=load.ids,
        first_id=load.first_id,
        begin=int(FIRST_SECOND.timestamp()),
        statuses=", ".join(map(quoted, STATUSES)),
        method=quoted(load.method),
        path=quoted(load.path),
        body=quoted(load.body) if load.body else "nil",
        headers=", ".join(
            f"[{quoted(name)}] = {quoted(value)}" for name, value in load.headers.items()
        ),
    )


def quoted(text: str) -> str:
    """JSON's escapes of plain ASCII are Lua's, but for the slash, which stays as it is."""
    return json.dumps(text)
