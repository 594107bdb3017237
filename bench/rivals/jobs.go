// Goroutines that take jobs from a channel, as a rival of pools. Answers the questions of pool/program.c: "WHAT N BYTES
// NS" a line, nanoseconds of the whole and a second figure a line; the one argument is the number of goroutines. Memory
// is shared, so a block goes as a slice, and results are stored in place.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"sort"
	"strconv"
	"sync"
	"syscall"
	"time"
)

type job struct {
	arg    uint64
	block  []byte // instead of arg, when there is one
	result *uint64
	answer chan struct{} // when one waits for it, else all
	all    *sync.WaitGroup
}

//go:noinline
func work(arg uint64) uint64 {
	x := arg >> 32
	for steps := uint32(arg); steps > 0; steps-- {
		x = x*6364136223846793005 + 1442695040888963407
	}
	return x + 1
}

//go:noinline
func sum(block []byte) uint64 {
	total := uint64(0)
	for ; len(block) >= 8; block = block[8:] {
		total += binary.LittleEndian.Uint64(block)
	}
	return total
}

func serve(jobs chan job) {
	for j := range jobs {
		if j.block != nil {
			*j.result = sum(j.block)
		} else {
			*j.result = work(j.arg)
		}
		if j.answer != nil {
			j.answer <- struct{}{}
		} else {
			j.all.Done()
		}
	}
}

// Blocks of so many bytes, a few taken again and again; of none without a size.
func makeBlocks(size int) [][]byte {
	if size == 0 {
		return nil
	}
	count := (16 << 20) / size
	if count > 1024 {
		count = 1024
	}
	blocks := make([][]byte, count)
	for i := range blocks {
		blocks[i] = make([]byte, size)
		for k := range blocks[i] {
			blocks[i][k] = byte(i + k)
		}
	}
	return blocks
}

func jobOf(i int, steps uint32, blocks [][]byte) job {
	if len(blocks) > 0 {
		return job{block: blocks[i%len(blocks)]}
	}
	return job{arg: uint64(i)<<32 | uint64(steps)}
}

func expected(i int, steps uint32, blocks [][]byte) uint64 {
	if len(blocks) > 0 {
		return sum(blocks[i%len(blocks)])
	}
	return work(uint64(i)<<32 | uint64(steps))
}

func check(got, wanted uint64) {
	if got != wanted {
		panic("wrong result")
	}
}

func trips(jobs chan job, n, size int) (int64, int64) {
	blocks := makeBlocks(size)
	answer := make(chan struct{}, 1)
	times := make([]int64, n)
	sums := make([]uint64, n)
	for i := range sums {
		sums[i] = expected(i, 0, blocks)
	}
	start := time.Now()
	for i := 0; i < n; i++ {
		var result uint64
		before := time.Now()
		j := jobOf(i, 0, blocks)
		j.result, j.answer = &result, answer
		jobs <- j
		<-answer
		times[i] = time.Since(before).Nanoseconds()
		check(result, sums[i])
	}
	took := time.Since(start).Nanoseconds()
	sort.Slice(times, func(a, b int) bool { return times[a] < times[b] })
	return took, times[n/2]
}

// Wall nanoseconds.
func runMany(jobs chan job, n int, steps uint32, blocks [][]byte, results []uint64) int64 {
	var all sync.WaitGroup
	start := time.Now()
	all.Add(n)
	for i := 0; i < n; i++ {
		j := jobOf(i, steps, blocks)
		j.result, j.all = &results[i], &all
		jobs <- j
	}
	all.Wait()
	took := time.Since(start).Nanoseconds()
	for i := 0; i < n; i += n/1000 + 1 {
		check(results[i], expected(i, steps, blocks))
	}
	return took
}

func cpuNanoseconds() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func many(jobs chan job, n, size int) (int64, int64) {
	blocks, results := makeBlocks(size), make([]uint64, n)
	runMany(jobs, n/10+1, 0, blocks, results)
	cpu := cpuNanoseconds()
	took := runMany(jobs, n, 0, blocks, results)
	return took, cpuNanoseconds() - cpu
}

func timeWork(steps uint32, count int) float64 {
	start, proof := time.Now(), uint64(0)
	for i := 0; i < count; i++ {
		proof += work(uint64(i)<<32 | uint64(steps))
	}
	took := float64(time.Since(start).Nanoseconds())
	check(proof, proof)
	return took / float64(count)
}

// The efficiency, and million jobs a second.
func grain(jobs chan job, n int, ns float64, workers int) (float64, float64) {
	const probe = 1000000
	best := timeWork(probe, 1)
	for i := 0; i < 4; i++ {
		if took := timeWork(probe, 1); took < best {
			best = took
		}
	}
	steps, results, count := uint32(ns*probe/best), make([]uint64, n), int(1e6/ns)+1
	runMany(jobs, n/10+1, steps, nil, results)
	before := timeWork(steps, count)
	wall := float64(runMany(jobs, n, steps, nil, results))
	after := timeWork(steps, count)
	return float64(n) * (before + after) / 2 / (wall * float64(workers)), float64(n) * 1e3 / wall
}

func main() {
	workers, _ := strconv.Atoi(os.Args[1])
	jobs := make(chan job, 1024)
	for i := 0; i < workers; i++ {
		go serve(jobs)
	}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var what string
		var n, size, ns int
		fmt.Sscan(lines.Text(), &what, &n, &size, &ns)
		switch what {
		case "round-trip":
			trips(jobs, n/10+1, size)
			fmt.Println(trips(jobs, n, size))
		case "many":
			fmt.Println(many(jobs, n, size))
		case "grain":
			fmt.Println(grain(jobs, n, float64(ns), workers))
		}
	}
}
