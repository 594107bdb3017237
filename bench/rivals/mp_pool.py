"""multiprocessing.Pool with its default start method."""

import multiprocessing

import rival


class Pool:
    pool = None

    def open(self, workers):
        self.pool = multiprocessing.Pool(workers)

    def one(self, fn, arg):
        return self.pool.apply(fn, (arg,))

    def many(self, fn, args):
        return self.pool.map(fn, args, chunksize=1)

    def map(self, fn, items):
        return self.pool.map(fn, items)

    def pids(self):
        return [worker.pid for worker in self.pool._pool]

    def close(self):
        if self.pool is not None:
            self.pool.terminate()
            self.pool.join()


if __name__ == "__main__":
    rival.serve(Pool)
