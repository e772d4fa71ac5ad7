#!/usr/bin/env python3
"""A worker for activity:QUEUE states.  usage: worker.py QUEUE [LEASE_SECONDS]

Needs nothing but psql; libpq's environment (PGHOST, PGDATABASE, ...) says where.  Replace work()
by your own.  Whatever kills this process, its task is offered to the next worker when the lease
is over, with what the last heartbeat said."""
import json
import os
import socket
import subprocess
import sys
import threading
import time

QUEUE = sys.argv[1]
LEASE = float(sys.argv[2]) if len(sys.argv) > 2 else 30.0
NAME = "%s:%d" % (socket.gethostname(), os.getpid())


def sql(text, **values):
    """Runs one statement, in which :'name' stands for a value; the text that it returns."""
    values.update(ON_ERROR_STOP=1, VERBOSITY="sqlstate")
    options = [option for name, value in values.items() for option in ("-v", "%s=%s" % (name, value))]
    run = subprocess.run(["psql", "-XqAt"] + options, input=text, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(run.stderr.strip())
    return run.stdout


def work(task, say):
    """Sleeps so many seconds as the input says, one at a time, from where the last worker stopped."""
    done = (task["details"] or {}).get("done", 0)
    while done < task["input"].get("seconds", 0):
        time.sleep(1)
        done += 1
        say({"done": done})
    return {"by": "python", "slept": done, "deliveries": task["deliveries"]}


def beat(task, over):
    while not over.wait(LEASE / 3):
        sql("SELECT vouch.heartbeat_activity(:'token', lease => :'lease')", token=task["task_token"], lease=LEASE)


while True:
    for line in sql("SELECT to_jsonb(t) FROM vouch.poll_activity(:'queue', :'name', :'lease', wait => '20 s') t",
                    queue=QUEUE, name=NAME, lease=LEASE).splitlines():
        task, over = json.loads(line), threading.Event()
        token = task["task_token"]
        threading.Thread(target=beat, args=(task, over), daemon=True).start()
        try:
            output = work(task, lambda details: sql("SELECT vouch.heartbeat_activity(:'token', :'details')",
                                                    token=token, details=json.dumps(details)))
            sql("SELECT vouch.complete_activity(:'token', :'output')", token=token, output=json.dumps(output))
        except Exception as error:
            if "VO409" not in str(error):		# else it is somebody else's by now: drop it
                sql("SELECT vouch.fail_activity(:'token', 'Worker.Error', :'cause')", token=token, cause=error)
        finally:
            over.set()
