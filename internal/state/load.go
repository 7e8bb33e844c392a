package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func (s *Store) load() error {
	if _, err := readJSON(filepath.Join(s.dir, "server.json"), &s.server); err != nil {
		return err
	}
	if err := errors.Join(s.loadFolder("apps", ""), s.loadFolder(servicesDir, servicePrefix)); err != nil {
		return err
	}
	return s.whole()
}

// loadFolder reads the apps in a folder; prefix comes before the folders' names.
func (s *Store) loadFolder(dir, prefix string) error {
	entries, err := os.ReadDir(filepath.Join(s.dir, dir))
	if err != nil {
		return fmt.Errorf("read the apps: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), destroyed) {
			// A folder that was being destroyed when the server was.
			if err := os.RemoveAll(filepath.Join(s.dir, dir, e.Name())); err != nil {
				return fmt.Errorf("finish destroying an app: %w", err)
			}
			continue
		}
		if e.Type() == fs.ModeSymlink { // the old name of an app that was renamed
			continue
		}
		app, err := s.loadApp(prefix + e.Name())
		if d, ok := errors.AsType[*Damaged](err); ok {
			s.damaged[d.Name] = d
			continue
		} else if err != nil {
			return err
		}
		if app != nil {
			s.apps[app.Name] = app
		}
	}
	return nil
}
