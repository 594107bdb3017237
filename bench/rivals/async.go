// Goroutines as a rival of tasks. Answers the questions of bench/async/rivals.h: "WHAT N WORKERS NS" a line, the
// figures of the row a line. One thread runs goroutines, as one thread runs everybody else's tasks.
package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
)

const batch = 1000

func perOp(start time.Time, n int) float64 {
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

func check(got, wanted int) {
	if got != wanted {
		panic("wrong result")
	}
}

func spawn(n int) float64 {
	var all sync.WaitGroup
	count := 0
	start := time.Now()
	for done := 0; done < n; done += batch {
		size := batch
		if n-done < size {
			size = n - done
		}
		all.Add(size)
		for i := 0; i < size; i++ {
			go func() {
				count++
				all.Done()
			}()
		}
		all.Wait()
	}
	took := perOp(start, n)
	check(count, n)
	return took
}

func await(n int) float64 {
	sum := 0
	start := time.Now()
	for i := 0; i < n; i++ {
		result := make(chan int, 1)
		go func(value int) { result <- value + 1 }(i)
		sum += <-result
	}
	took := perOp(start, n)
	check(sum, n*(n+1)/2)
	return took
}

func yield(n, tasks int) float64 {
	var all sync.WaitGroup
	all.Add(tasks)
	start := time.Now()
	for i := 0; i < tasks; i++ {
		go func() {
			for left := n / tasks; left > 0; left-- {
				runtime.Gosched()
			}
			all.Done()
		}()
	}
	all.Wait()
	return perOp(start, n/tasks*tasks)
}

// A line of a file of this process in /proc, in KiB.
func kib(file, key string) float64 {
	text, _ := os.ReadFile("/proc/self/" + file)
	for _, line := range strings.Split(string(text), "\n") {
		var value float64
		if strings.HasPrefix(line, key+":") {
			fmt.Sscan(line[len(key)+1:], &value)
			return value
		}
	}
	return math.NaN()
}

func resident() float64 {
	return (kib("smaps_rollup", "Private_Dirty") + kib("smaps_rollup", "Private_Clean")) * 1024
}

func live(n int) float64 {
	var waiting, all sync.WaitGroup
	gate := make(chan struct{})
	resident()
	before := resident()
	waiting.Add(n)
	all.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			waiting.Done()
			<-gate
			all.Done()
		}()
	}
	waiting.Wait()
	runtime.Gosched()
	with := resident()
	close(gate)
	all.Wait()
	return math.Round((with - before) / float64(n))
}

func asleep(n int, sleep time.Duration) (float64, float64) {
	var all sync.WaitGroup
	all.Add(n)
	start := time.Now()
	for i := 0; i < n; i++ {
		go func() {
			time.Sleep(sleep)
			all.Done()
		}()
	}
	all.Wait()
	return float64((time.Since(start) - sleep).Nanoseconds()) / 1e6, kib("status", "VmHWM") / 1024
}

func serve(connection net.Conn) {
	buffer := make([]byte, 65536)
	for {
		got, err := connection.Read(buffer)
		if err != nil {
			connection.Close()
			return
		}
		if _, err := connection.Write(buffer[:got]); err != nil && err != io.EOF {
			connection.Close()
			return
		}
	}
}

func echo() int {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(connection)
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

func answer(what string, n, workers int, sleep time.Duration) {
	switch what {
	case "spawn":
		spawn(n/10 + 1)
		fmt.Println(spawn(n))
	case "await":
		await(n/10 + 1)
		fmt.Println(await(n))
	case "yield":
		yield(n/10+workers, workers)
		fmt.Println(yield(n, workers))
	case "live":
		fmt.Println(live(n))
	case "asleep":
		fmt.Println(asleep(n, sleep))
	case "echo":
		fmt.Println(echo())
	}
}

func main() {
	runtime.GOMAXPROCS(1)
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var what string
		var n, workers, ns int
		fmt.Sscan(lines.Text(), &what, &n, &workers, &ns)
		answer(what, n, workers, time.Duration(ns))
	}
}
