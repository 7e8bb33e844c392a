package sandbox_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"hop3/procman/sandbox"
)

// BenchmarkStart measures from start to exit of a program that does nothing, in
// a sandbox with so many closure paths, against a plain exec of it in the same run.
func BenchmarkStart(b *testing.B) {
	needRoot(b)
	for _, level := range []string{"bare", "root", "network"} {
		for _, n := range []int{1, 50, 300, 1000} {
			if level == "bare" && n > 1 {
				continue // it has no closure
			}
			b.Run(fmt.Sprintf("%s/paths=%d", level, n), func(b *testing.B) { benchmarkStart(b, level, n) })
		}
	}
}

func benchmarkStart(b *testing.B, level string, paths int) {
	dir := b.TempDir()
	s := spec("true")
	s.Bare, s.PrivateNetwork = level == "bare", level == "network"
	if s.Bare {
		s.Dir = "/"
	}
	for i := range paths - 1 {
		p := filepath.Join(dir, fmt.Sprintf("%04d-package", i))
		if err := os.Mkdir(p, 0o755); err != nil {
			b.Fatal(err)
		}
		s.Closure = append(s.Closure, p)
	}
	s.Cgroup = "hop3/bench/run.1"
	s.Limits = sandbox.Limits{MemoryBytes: 256 << 20, CPUMillis: 1000, Pids: 100}
	var plain, boxed []time.Duration
	var plainCPU, boxedCPU time.Duration
	for b.Loop() {
		cpu, t := childCPU(), time.Now()
		if err := exec.Command(inmate, "true").Run(); err != nil {
			b.Fatal(err)
		}
		plain = append(plain, time.Since(t))
		plainCPU += childCPU() - cpu
		cpu, t = childCPU(), time.Now()
		if _, err := sandbox.Run(context.Background(), initExe, s, sandbox.Stdio{}); err != nil {
			b.Fatal(err)
		}
		boxed = append(boxed, time.Since(t))
		boxedCPU += childCPU() - cpu
	}
	// The median: on a shared machine the mean is that of the others' work.
	ms := func(ds []time.Duration) float64 {
		slices.Sort(ds)
		return ds[len(ds)/2].Seconds() * 1000
	}
	b.ReportMetric(ms(plain), "plain-ms")
	b.ReportMetric(ms(boxed), "sandbox-ms")
	b.ReportMetric(ms(boxed)-ms(plain), "overhead-ms")
	b.ReportMetric((boxedCPU-plainCPU).Seconds()*1000/float64(b.N), "cpu-ms")
	b.ReportMetric((boxed[0]-plain[0]).Seconds()*1000, "best-overhead-ms")
}

// childCPU is the processor time of the children that have ended; unlike the
// clock it does not count what else the machine does.
func childCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
