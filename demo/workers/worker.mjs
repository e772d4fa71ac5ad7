#!/usr/bin/env node
// A worker for activity:QUEUE states.  usage: worker.mjs QUEUE [LEASE_SECONDS]
//
// Needs nothing but psql; libpq's environment (PGHOST, PGDATABASE, PGUSER, ...) says
// where.  Replace work() by your own.  Whatever kills this process, its task is offered
// to the next worker when the lease is over, with what the last heartbeat said.
import { execFile } from 'node:child_process';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const queue = process.argv[2];
const lease = Number(process.argv[3] ?? 30);
const name = `${hostname()}:${process.pid}`;

// Runs one statement, in which :'name' stands for a value; the text that it returns.
function sql(text, values = {}) {
  const options = Object.entries({ ON_ERROR_STOP: 1, VERBOSITY: 'sqlstate', ...values })
    .flatMap(([key, value]) => ['-v', `${key}=${value}`]);
  return new Promise((resolve, reject) => {
    const psql = execFile('psql', ['-XqAt', ...options], { maxBuffer: 2 ** 28 },
      (error, stdout, stderr) => (error ? reject(new Error(stderr.trim())) : resolve(stdout)));
    psql.stdin.end(text);
  });
}

// Sleeps so many seconds as the input says, one at a time, from where the last worker stopped.
async function work(task, say) {
  let done = task.details?.done ?? 0;
  while (done < (task.input.seconds ?? 0)) {
    await sleep(1000);
    await say({ done: ++done });
  }
  return { by: 'node', slept: done, deliveries: task.deliveries };
}

for (;;) {
  const tasks = await sql(
    "SELECT to_jsonb(t) FROM vouch.poll_activity(:'queue', :'name', :'lease', wait => '20 s') t", { queue, name, lease });
  for (const line of tasks.split('\n').filter(Boolean)) {
    const task = JSON.parse(line);
    const token = task.task_token;
    const beat = setInterval(() => sql("SELECT vouch.heartbeat_activity(:'token', lease => :'lease')", { token, lease })
      .catch(() => clearInterval(beat)), lease * 1000 / 3);
    try {
      const output = await work(task, (details) => sql("SELECT vouch.heartbeat_activity(:'token', :'details')",
        { token, details: JSON.stringify(details) }));
      await sql("SELECT vouch.complete_activity(:'token', :'output')", { token, output: JSON.stringify(output) });
    } catch (error) {
      if (!error.message.includes('VO409'))	// else it is somebody else's by now: drop it
        await sql("SELECT vouch.fail_activity(:'token', 'Worker.Error', :'cause')", { token, cause: error.message });
    } finally {
      clearInterval(beat);
    }
  }
}
