package procman

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"hop3/procman/sandbox"
	"hop3/procman/shim"
)

const (
	// JobTimeout ends a job that sets no time of its own.
	JobTimeout = 24 * time.Hour
	// jobGrace is what a job gets between TERM and KILL.
	jobGrace = 30 * time.Second
	// keptJobs is how many ended runs of one cron entry are remembered: a day of an hourly one.
	keptJobs = 24

	jobFile    = "job.json"
	jobVersion = 1
	maxJob     = 1 << 20 // bytes of a job's file
)

// A Job is a one-off process behind a shim of its own: it outlives the call, and the server, that started it. Its folder
// in the release's JobDir is its memory, also after its end.
type Job struct {
	Version int           `json:"version"`
	ID      string        `json:"id"`
	Name    string        `json:"name"`           // "run.3", "cron.backup.4": also in the logs
	Cron    string        `json:"cron,omitempty"` // the entry that it belongs to
	By      string        `json:"by"`
	Release int           `json:"release"`
	Started time.Time     `json:"started"`
	Timeout time.Duration `json:"timeout"`
	Ended   time.Time     `json:"ended,omitzero"`
	Exit    *Exit         `json:"exit,omitempty"` // nil while it runs, and where nobody saw its end
	Problem string        `json:"problem,omitempty"`

	Identity *shim.Identity `json:"identity,omitempty"`
	Pid      int            `json:"-"` // of its main process, as the host sees it; 0 after its end
}

// JobError is a job that cannot be had.
type JobError struct{ App, Name, Problem string }

func (e *JobError) Error() string { return fmt.Sprintf("job %s of %s %s", e.Name, e.App, e.Problem) }

// Hint says where jobs are listed.
func (e *JobError) Hint() string { return "see what runs: ps " + e.App }

// jobs are the running jobs of all apps.
type jobs struct {
	mu   sync.Mutex
	list map[string][]*liveJob // by app
}

type liveJob struct {
	mu   sync.Mutex
	job  Job
	dir  string
	proc *shim.Instance
	done chan struct{} // closed when its end is written down
}

func (j *liveJob) snapshot() Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.job
}

// StartJob starts c in release r as a job, and returns when it runs. Of job the caller sets Cron, By and Timeout. In, Out,
// Err, Pty and Signals of c are not used: what a job prints is in the app's logs.
func (s *Supervisor) StartJob(ctx context.Context, r Release, c RunSpec, job Job) (Job, error) {
	rel, err := r.normal(s.o.Defaults)
	if err != nil {
		return Job{}, err
	}
	job.ID, job.Version, job.Release, job.Started = newID(), jobVersion, rel.Number, time.Now().UTC()
	job.Timeout = orElse(job.Timeout, JobTimeout)
	job.Name = s.jobName(job.Cron)
	box, err := s.oneOff(rel, job.Name, c)
	if err != nil {
		return Job{}, err
	}
	dir := filepath.Join(rel.JobDir, job.ID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Job{}, fmt.Errorf("make folder of job %s: %w", job.Name, err)
	}
	live := &liveJob{job: job, dir: dir, done: make(chan struct{})}
	if err := live.write(); err != nil { // before the start, so that a next server finds it
		return Job{}, err
	}
	live.proc, err = shim.Start(ctx, s.o.Exe, shim.Spec{
		Dir: filepath.Join(dir, "run"), LogPath: filepath.Join(rel.LogDir, fmt.Sprintf("%s-v%d-%s%s", job.Name, rel.Number, job.ID, logSuffix)),
		Sandbox: box, Process: job.Name, Release: rel.Number, Masked: rel.Masked,
	})
	if err != nil {
		return Job{}, errors.Join(fmt.Errorf("start job %s of %s: %w", job.Name, rel.App, err), os.RemoveAll(dir))
	}
	id := live.proc.Identity()
	live.job.Identity, live.job.Pid = &id, live.proc.Pid()
	if err := live.write(); err != nil {
		return Job{}, errors.Join(err, live.proc.Kill(), live.proc.Close())
	}
	s.look(rel.App, live)
	return live.snapshot(), nil
}

func (s *Supervisor) jobName(cron string) string {
	n := s.runs.Add(1)
	if cron != "" {
		return fmt.Sprintf("cron.%s.%d", cron, n)
	}
	return fmt.Sprintf("run.%d", n)
}

// look keeps the job among the running ones until it ends or its time is over.
func (s *Supervisor) look(app string, j *liveJob) {
	s.jobs.mu.Lock()
	if s.jobs.list == nil {
		s.jobs.list = map[string][]*liveJob{}
	}
	s.jobs.list[app] = append(s.jobs.list[app], j)
	s.jobs.mu.Unlock()
	s.wg.Go(func() {
		defer close(j.done)
		limit := time.NewTimer(time.Until(j.job.Started.Add(j.job.Timeout)))
		defer limit.Stop()
		select {
		case <-j.proc.Done():
		case <-limit.C:
			j.end(s, "ended: its time limit of "+j.job.Timeout.String()+" was over")
		case <-s.base.Done(): // it runs on, for the next server
			j.proc.Close() //nolint:errcheck // it only lets go of it
			return
		}
		s.jobs.mu.Lock()
		s.jobs.list[app] = slices.DeleteFunc(s.jobs.list[app], func(l *liveJob) bool { return l == j })
		s.jobs.mu.Unlock()
		if err := j.over(); err != nil {
			s.o.Log.WithField("app", app).WithField("proc", j.job.Name).WithError(err).Warn("the end of a job was not written down")
		}
		if err := forgetJobs(filepath.Dir(j.dir)); err != nil {
			s.o.Log.WithField("app", app).WithError(err).Warn("old jobs were not forgotten")
		}
	})
}

// end stops the process of the job; why is kept with it.
func (j *liveJob) end(s *Supervisor, why string) {
	j.mu.Lock()
	j.job.Problem = why
	j.mu.Unlock()
	sig, _ := parseSignal("TERM") // is one
	if err := j.proc.Stop(s.base, sig, jobGrace); err != nil && !ended(j.proc) {
		s.o.Log.WithField("proc", j.job.Name).WithError(err).Warn("job not stopped as asked; killing it")
		if err := j.proc.Kill(); err != nil {
			s.o.Log.WithField("proc", j.job.Name).WithError(err).Error("job not killed")
		}
	}
	await(s.base, j.proc.Done()) //nolint:errcheck // base's end is the supervisor's
}

// over writes down that the job has ended and removes the shim's folder.
func (j *liveJob) over() error {
	exit := j.proc.Exit()
	j.mu.Lock()
	j.job.Exit, j.job.Pid = &exit, 0
	j.job.Ended = exit.At.UTC()
	if exit.At.IsZero() {
		j.job.Ended = time.Now().UTC()
	}
	j.mu.Unlock()
	return errors.Join(j.proc.Close(), j.write(), os.RemoveAll(filepath.Join(j.dir, "run")))
}

// Jobs returns the running jobs of an app, oldest first.
func (s *Supervisor) Jobs(app string) []Job {
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	var out []Job
	for _, j := range s.jobs.list[app] {
		out = append(out, j.snapshot())
	}
	return out
}

// StopJob ends a running job by its name and returns when it has ended; TERM, then KILL. A *JobError says that there is
// none.
func (s *Supervisor) StopJob(ctx context.Context, app, name string) error {
	j := s.liveJob(app, name)
	if j == nil {
		return &JobError{App: app, Name: name, Problem: "does not run"}
	}
	j.end(s, "stopped")
	if err := await(ctx, j.done); err != nil {
		return fmt.Errorf("stop job %s of %s: %w", name, app, err)
	}
	return nil
}

// AwaitJob waits until the job has ended and returns how. Dir is the app's JobDir.
func (s *Supervisor) AwaitJob(ctx context.Context, app, dir string, job Job) (Job, error) {
	if j := s.liveJob(app, job.Name); j != nil {
		if err := await(ctx, j.done); err != nil {
			return job, fmt.Errorf("await job %s of %s: %w", job.Name, app, err)
		}
	}
	list, err := ReadJobs(dir)
	if err != nil {
		return job, err
	}
	i := slices.IndexFunc(list, func(j Job) bool { return j.ID == job.ID })
	if i < 0 {
		return job, &JobError{App: app, Name: job.Name, Problem: "is forgotten"}
	}
	if list[i].Ended.IsZero() {
		return job, fmt.Errorf("await job %s of %s: %w", job.Name, app, errClosed)
	}
	return list[i], nil
}

func (s *Supervisor) liveJob(app, name string) *liveJob {
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	i := slices.IndexFunc(s.jobs.list[app], func(j *liveJob) bool { return j.job.Name == name })
	if i < 0 {
		return nil
	}
	return s.jobs.list[app][i]
}

// EndJobs ends all running jobs of an app: for one that is destroyed.
func (s *Supervisor) EndJobs(ctx context.Context, app string) error {
	var all sync.WaitGroup
	list := s.Jobs(app)
	errs := make([]error, len(list))
	for n, j := range list {
		all.Go(func() {
			if err := s.StopJob(ctx, app, j.Name); err != nil && !isJobError(err) { // one that just ended is as good
				errs[n] = err
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func isJobError(err error) bool {
	_, ok := errors.AsType[*JobError](err)
	return ok
}

// AdoptJobs takes over the jobs that an earlier server left in dir, and writes down the end of those that ended
// meanwhile. One whose file is damaged is ended, for nobody knows its time limit, and forgotten; the error tells of it. It
// is called once per app, when the server starts.
func (s *Supervisor) AdoptJobs(app, dir string) error {
	list, damaged, err := readJobs(dir)
	if err != nil {
		return err
	}
	var errs []error
	for id, why := range damaged {
		errs = append(errs, why, s.dropJob(filepath.Join(dir, id)))
	}
	for _, job := range list {
		if n := numberOf(job.Name); n > s.runs.Load() { // names go on where they were
			s.runs.Store(n)
		}
		if !job.Ended.IsZero() {
			continue
		}
		errs = append(errs, s.adoptJob(app, filepath.Join(dir, job.ID), job))
	}
	return errors.Join(errs...)
}

func (s *Supervisor) adoptJob(app, dir string, job Job) error {
	live := &liveJob{job: job, dir: dir, done: make(chan struct{})}
	id, err := (&leftover{recordInstance: recordInstance{Identity: job.Identity}}).identity(filepath.Join(dir, "run"))
	if err == nil {
		live.proc, err = shim.Adopt(filepath.Join(dir, "run"), id)
	}
	if err == nil {
		live.job.Identity, live.job.Pid = &id, live.proc.Pid()
		s.look(app, live)
		return nil
	}
	live.job.Ended, live.job.Problem = time.Now().UTC(), "its end was not seen: the machine was restarted, or it was killed with its shim"
	return errors.Join(live.write(), os.RemoveAll(filepath.Join(dir, "run")))
}

// dropJob ends what runs in the folder of a job, and removes it.
func (s *Supervisor) dropJob(dir string) error {
	run := filepath.Join(dir, "run")
	if id, err := new(leftover).identity(run); err == nil {
		proc, err := shim.Adopt(run, id)
		if err != nil && !errors.Is(err, shim.ErrGone) {
			return err
		}
		if err == nil {
			if err := proc.Kill(); err != nil {
				return err
			}
			await(s.base, proc.Done()) //nolint:errcheck // base's end is the supervisor's
			if err := proc.Close(); err != nil {
				return err
			}
		}
	}
	return os.RemoveAll(dir)
}

// numberOf returns the number at the end of a job's name, 0 if there is none.
func numberOf(name string) uint64 {
	var n uint64
	_, _ = fmt.Sscanf(name[strings.LastIndexByte(name, '.')+1:], "%d", &n) // 0 then
	return n
}

// oneOff is the sandbox of a one-off process called name.
func (s *Supervisor) oneOff(rel *Release, name string, c RunSpec) (sandbox.Spec, error) {
	if err := rel.dataFolder(); err != nil { // the release command comes before the first swap
		return sandbox.Spec{}, err
	}
	extra := map[string]string{}
	for _, kv := range c.Env {
		k, v, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			return sandbox.Spec{}, fmt.Errorf("run %s: variable %q is not K=V", name, k)
		}
		extra[k] = v
	}
	e := s.environment(rel, name, 0)
	var argv []string
	var err error
	if c.Shell != "" {
		argv, err = rel.argv(name, c.Shell, e.plain())
	} else {
		argv, err = rel.words(name, c.Argv)
	}
	if err != nil {
		return sandbox.Spec{}, err
	}
	box := s.boxWith(rel, name, argv, e.list(extra))
	box.Limits = s.o.Defaults
	if p, ok := rel.process(c.Type); ok {
		box.Limits = p.Limits
	}
	box.Cgroup = filepath.Join("hop3", rel.App, name+"-"+newID())
	return box, nil
}
