package procman

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// write makes the job's file; it is complete or as it was.
func (j *liveJob) write() error {
	b, err := json.Marshal(j.snapshot())
	if err != nil {
		return fmt.Errorf("write job: %w", err)
	}
	temp := filepath.Join(j.dir, "job.new")
	if err := os.WriteFile(temp, b, 0o600); err != nil {
		return fmt.Errorf("write job: %w", err)
	}
	if err := os.Rename(temp, filepath.Join(j.dir, jobFile)); err != nil {
		return fmt.Errorf("write job: %w", err)
	}
	return nil
}

// ReadJobs returns the jobs that dir remembers, oldest first; those that run still have no Ended.
func ReadJobs(dir string) ([]Job, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read jobs: %w", err)
	}
	var out []Job
	for _, e := range entries {
		if !e.IsDir() || !instanceID.MatchString(e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name(), jobFile)
		info, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) { // about to be started, or just forgotten
			continue
		} else if err != nil {
			return nil, fmt.Errorf("read jobs: %w", err)
		}
		if info.Size() > maxJob {
			return nil, fmt.Errorf("read jobs: %s has %d bytes: too many", path, info.Size())
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read jobs: %w", err)
		}
		var j Job
		if err := json.Unmarshal(b, &j); err != nil || j.Version != jobVersion || j.ID != e.Name() {
			return nil, fmt.Errorf("read jobs: %s is no job of this version (%w)", path, err)
		}
		out = append(out, j)
	}
	slices.SortFunc(out, func(a, b Job) int { return a.Started.Compare(b.Started) })
	return out, nil
}

// forgetJobs removes the oldest ended jobs of each cron entry, and of those of none, beyond keptJobs.
func forgetJobs(dir string) error {
	list, err := ReadJobs(dir)
	if err != nil {
		return err
	}
	kept := map[string]int{}
	for _, j := range slices.Backward(list) {
		if j.Ended.IsZero() {
			continue
		}
		if kept[j.Cron]++; kept[j.Cron] <= keptJobs {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, j.ID)); err != nil {
			return fmt.Errorf("forget job: %w", err)
		}
	}
	return nil
}
