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

// ReadJobs returns the jobs that dir remembers, oldest first; those that run still have no Ended. What cannot be read is left
// out: AdoptJobs has seen to it.
func ReadJobs(dir string) ([]Job, error) {
	list, _, err := readJobs(dir)
	return list, err
}

// readJobs also returns the ids of jobs whose file is damaged, as a loss of power can leave it, with the reasons.
func readJobs(dir string) (list []Job, damaged map[string]error, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("read jobs: %w", err)
	}
	damaged = map[string]error{}
	for _, e := range entries {
		if !e.IsDir() || !instanceID.MatchString(e.Name()) {
			continue
		}
		j, err := readJob(dir, e.Name())
		if errors.Is(err, os.ErrNotExist) { // about to be started, or just forgotten
			continue
		} else if err != nil {
			damaged[e.Name()] = err
			continue
		}
		list = append(list, j)
	}
	slices.SortFunc(list, func(a, b Job) int { return a.Started.Compare(b.Started) })
	return list, damaged, nil
}

func readJob(dir, id string) (j Job, err error) {
	path := filepath.Join(dir, id, jobFile)
	info, err := os.Stat(path)
	if err != nil {
		return j, fmt.Errorf("read job: %w", err)
	}
	if info.Size() > maxJob {
		return j, fmt.Errorf("read job %s: %d bytes are too many", path, info.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return j, fmt.Errorf("read job: %w", err)
	}
	if err := json.Unmarshal(b, &j); err != nil {
		return j, fmt.Errorf("read job %s: %w", path, err)
	}
	if j.Version != jobVersion || j.ID != id {
		return j, fmt.Errorf("read job %s: it is job %q of version %d, want job %q of version %d", path, j.ID, j.Version, id, jobVersion)
	}
	return j, nil
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
