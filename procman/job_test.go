package procman

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// jobRelease is the current release, with nothing running but the jobs to come.
func jobRelease(w *world) Release {
	r := w.release("web: web")
	r.Formation["web"] = 0
	r.JobDir = filepath.Join(w.dir, "jobs")
	w.swap(r, SwapOptions{})
	return r
}

// jobEnd waits until the job has ended and that is written down.
func jobEnd(t *testing.T, w *world, r Release, j Job) Job {
	t.Helper()
	got, err := w.sup.AwaitJob(t.Context(), "blog", r.JobDir, j)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestJob_EndsAndIsRemembered(t *testing.T) {
	w := newWorld(t)
	r := jobRelease(w)
	j, err := w.sup.StartJob(t.Context(), r, RunSpec{Shell: "app exit 3"}, Job{Cron: "nightly", By: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	if j.Name != "cron.nightly.1" || j.Pid == 0 || j.Exit != nil {
		t.Errorf("%+v", j)
	}
	got := jobEnd(t, w, r, j)
	if got.Exit == nil || got.Exit.Code != 3 || got.By != "ann" || got.Problem != "" {
		t.Errorf("%+v, exit %+v", got, got.Exit)
	}
	if list := w.sup.Jobs("blog"); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	if left, err := os.ReadDir(filepath.Join(r.JobDir, j.ID)); err != nil || len(left) != 1 {
		t.Errorf("left in its folder: %v, %v", left, err)
	}
	if _, err := w.sup.StartJob(t.Context(), r, RunSpec{Shell: "nothing-of-that-name"}, Job{}); err == nil {
		t.Error("started a program that is not there")
	}
	if list, err := ReadJobs(r.JobDir); len(list) != 1 || err != nil {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestJob_OutlivesTheServer(t *testing.T) {
	w := newWorld(t)
	r := jobRelease(w)
	j, err := w.sup.StartJob(t.Context(), r, RunSpec{Shell: "app worker"}, Job{By: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.sup.Close(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	w.start()
	if err := w.sup.AdoptJobs("blog", r.JobDir); err != nil {
		t.Fatal(err)
	}
	list := w.sup.Jobs("blog")
	if len(list) != 1 || list[0].Pid != j.Pid || list[0].Name != j.Name {
		t.Fatalf("%+v, before it was %+v", list, j)
	}
	if err := w.sup.StopJob(t.Context(), "blog", j.Name); err != nil {
		t.Fatal(err)
	}
	if got := jobEnd(t, w, r, j); got.Exit == nil || got.Problem != "stopped" {
		t.Errorf("%+v", got)
	}
	if err := w.sup.StopJob(t.Context(), "blog", j.Name); !isJobError(err) {
		t.Errorf("stopped twice: %v", err)
	}
	next, err := w.sup.StartJob(t.Context(), r, RunSpec{Shell: "app exit 3"}, Job{})
	if err != nil || next.Name != "run.2" {
		t.Errorf("%+v, %v", next, err)
	}
	jobEnd(t, w, r, next)
}

// TestJob_DamagedFile: the file of one job is torn. It is ended, the error says so, and the others are taken over.
func TestJob_DamagedFile(t *testing.T) {
	w := newWorld(t)
	r := jobRelease(w)
	torn, err := w.sup.StartJob(t.Context(), r, RunSpec{Shell: "app worker"}, Job{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := w.sup.StartJob(t.Context(), r, RunSpec{Shell: "app worker"}, Job{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.sup.Close(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(r.JobDir, torn.ID, jobFile)
	if err := os.Truncate(path, 40); err != nil {
		t.Fatal(err)
	}
	w.start()
	if err := w.sup.AdoptJobs("blog", r.JobDir); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("the error is %v", err)
	}
	if alive(torn.Pid) {
		t.Error("the job that nobody looks after runs on")
	}
	if list, err := ReadJobs(r.JobDir); err != nil || len(list) != 1 || list[0].ID != other.ID {
		t.Errorf("%+v, %v", list, err)
	}
	if list := w.sup.Jobs("blog"); len(list) != 1 || list[0].Pid != other.Pid {
		t.Errorf("%+v", list)
	}
	if err := w.sup.EndJobs(t.Context(), "blog"); err != nil {
		t.Error(err)
	}
}

func TestJob_EndsAtItsTimeLimit(t *testing.T) {
	w := newWorld(t)
	r := jobRelease(w)
	j, err := w.sup.StartJob(t.Context(), r, RunSpec{Shell: "app worker"}, Job{Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if got := jobEnd(t, w, r, j); got.Problem != "ended: its time limit of 50ms was over" {
		t.Errorf("%+v", got)
	}
}

// TestJob_LostWithTheMachine is a job whose shim is not there any more when the server starts.
func TestJob_LostWithTheMachine(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Join(w.dir, "jobs")
	for n := range keptJobs + 3 {
		j := liveJob{dir: filepath.Join(dir, fmt.Sprintf("id%d", n)), job: Job{Version: jobVersion, ID: fmt.Sprintf("id%d", n), Name: fmt.Sprintf("run.%d", n+1), Started: time.Unix(int64(n), 0), Ended: time.Unix(int64(n), 1)}}
		if n == keptJobs+2 {
			j.job.Ended = time.Time{}
		}
		if err := os.MkdirAll(j.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := j.write(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.sup.AdoptJobs("blog", dir); err != nil {
		t.Fatal(err)
	}
	if err := forgetJobs(dir); err != nil {
		t.Fatal(err)
	}
	list, err := ReadJobs(dir)
	if err != nil || len(list) != keptJobs || list[0].Name != "run.4" {
		t.Fatalf("%d jobs, first %+v, %v", len(list), list[0], err)
	}
	if last := list[len(list)-1]; last.Ended.IsZero() || last.Exit != nil || last.Problem == "" {
		t.Errorf("%+v", last)
	}
}
