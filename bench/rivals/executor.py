"""concurrent.futures.ProcessPoolExecutor with its default start method."""

import concurrent.futures
import concurrent.futures.process
import os
import tempfile

import rival


class Executor:
    executor = None

    def open(self, workers):
        self.executor = concurrent.futures.ProcessPoolExecutor(workers)

    def one(self, fn, arg):
        return self.executor.submit(fn, arg).result()

    def many(self, fn, args):
        return list(self.executor.map(fn, args))

    def map(self, fn, items):
        return list(self.executor.map(fn, items, chunksize=max(1, len(items) // 8)))

    def pids(self):
        return list(self.executor._processes)

    def close(self):
        if self.executor is not None:
            self.executor.shutdown()

    def kill(self):
        """Until the status of the killed job is here; the job behind it is lost with the pool."""
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "pid")
            with concurrent.futures.ProcessPoolExecutor(1) as executor:
                future = executor.submit(rival.busy, path)
                pid = rival.wait_for_pid(path)
                start = rival.now()
                rival.stop(pid)
                try:
                    future.result()
                except concurrent.futures.process.BrokenProcessPool:
                    return (rival.now() - start,)


if __name__ == "__main__":
    rival.serve(Executor)
