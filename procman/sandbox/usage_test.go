package sandbox

import (
	"os"
	"path/filepath"
	"testing"
)

// The files are those of either version of cgroups, whichever this machine has.
func TestCgroup_Usage(t *testing.T) {
	want := Usage{MemoryBytes: 4096, CPUNanos: 7000, Pids: 3, ThrottledNanos: 5000, OOMKills: 2}
	dir := func(files map[string]string) string {
		d := t.TempDir()
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(d, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return d
	}
	one := dir(map[string]string{
		"memory.current": "4096\n", "pids.current": "3\n", "memory.events": "low 0\noom 4\noom_kill 2\n",
		"cpu.stat": "usage_usec 7\nnr_throttled 9\nthrottled_usec 5\n",
	})
	v2 := &Cgroup{Tree: one, Init: one, App: map[string]string{"tree": one, "memory": one, "cpu": one, "pids": one}}
	if got := v2.Usage(); got != want {
		t.Errorf("v2: %+v", got)
	}
	v1 := &Cgroup{App: map[string]string{
		"memory": dir(map[string]string{"memory.usage_in_bytes": "4096\n", "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"}),
		"cpu":    dir(map[string]string{"cpuacct.usage": "7000\n", "cpu.stat": "nr_periods 1\nnr_throttled 9\nthrottled_time 5000\n"}),
		"pids":   dir(map[string]string{"pids.current": "3\n"}),
	}}
	if got := v1.Usage(); got != want {
		t.Errorf("v1: %+v", got)
	}
}

// The limits as the kernel wants them written, in either version.
func TestSetLimits(t *testing.T) {
	l := Limits{MemoryBytes: 64 << 20, CPUMillis: 500, Pids: 40}
	for name, c := range map[string]struct {
		set  func(c, dir string, l Limits) error
		want map[string]string
	}{
		"v1": {setV1, map[string]string{"memory.limit_in_bytes": "67108864", "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000", "pids.max": "40"}},
		"v2": {setV2, map[string]string{"memory.max": "67108864", "memory.swap.max": "0", "cpu.max": "50000 100000", "pids.max": "40"}},
	} {
		dir := t.TempDir()
		for _, k := range controllers {
			if err := c.set(k, dir, l); err != nil {
				t.Fatal(err)
			}
		}
		for file, want := range c.want {
			if b, err := os.ReadFile(filepath.Join(dir, file)); string(b) != want {
				t.Errorf("%s %s: %q %v, want %q", name, file, b, err, want)
			}
		}
	}
}
