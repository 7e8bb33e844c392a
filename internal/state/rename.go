package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Rename gives an app another name, and the keys that were given for it follow.
// The name of its old folder leads to the new one until [Store.FinishRename]:
// processes and GC roots still go by it. A name in use is a [*Conflict].
//
// The record is written first, with the new name and where it lies; the rename
// of the folder is what counts, and a start after a crash between the two
// finishes it.
func (s *Store) Rename(old, name string) (*App, error) {
	if err := CheckAppName(name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	app, ok := s.apps[old]
	if !ok {
		return nil, &NotFound{Kind: "app", Name: old}
	}
	if err := s.vacate(name, old); err != nil {
		return nil, err
	}
	a := app.clone()
	a.Name, a.RenamedFrom = name, old
	if err := s.keys.renameApp(old, name); err != nil {
		return nil, err
	}
	if err := s.saveAppIn(s.AppDir(old), a); err != nil {
		return nil, errors.Join(err, s.keys.renameApp(name, old))
	}
	if err := s.moveFolder(old, name); err != nil {
		return nil, errors.Join(err, s.saveAppIn(s.AppDir(old), app), s.keys.renameApp(name, old))
	}
	delete(s.apps, old)
	s.apps[name] = a
	return a, nil
}

// vacate makes sure that no folder is in the way. What an unfinished rename of
// the same app left there goes. It needs mu.
func (s *Store) vacate(name, app string) error {
	if s.apps[name] != nil {
		return &Conflict{What: fmt.Sprintf("the app %s exists already", name), Mend: "take another name"}
	}
	to, err := os.Readlink(s.AppDir(name))
	switch {
	case err == nil && to == app:
		return os.Remove(s.AppDir(name))
	case err == nil:
		return &Conflict{What: fmt.Sprintf("%s was just renamed to %s, and is still being cleared up", name, to), Mend: "try again in a moment"}
	}
	if _, err := os.Lstat(s.AppDir(name)); !errors.Is(err, fs.ErrNotExist) {
		return &Conflict{What: fmt.Sprintf("the folder %s is in the way", s.AppDir(name)), Mend: "an operator must move it away"}
	}
	return nil
}

// moveFolder renames an app's folder and leaves a link.
func (s *Store) moveFolder(old, name string) error {
	if err := os.Rename(s.AppDir(old), s.AppDir(name)); err != nil {
		return fmt.Errorf("rename the folder of %s: %w", old, err)
	}
	if err := os.Symlink(name, s.AppDir(old)); err != nil {
		return errors.Join(fmt.Errorf("link the old folder: %w", err), os.Rename(s.AppDir(name), s.AppDir(old)))
	}
	return syncDir(filepath.Join(s.dir, "apps"))
}

// FinishRename ends what [Store.Rename] began, when nothing goes by the old
// name any more. It does nothing for an app that was not renamed.
func (s *Store) FinishRename(name string) error {
	a, err := s.App(name)
	if err != nil || a.RenamedFrom == "" {
		return err
	}
	link := s.AppDir(a.RenamedFrom)
	if to, err := os.Readlink(link); err == nil && to == name {
		if err := os.Remove(link); err != nil {
			return fmt.Errorf("remove the link to %s: %w", name, err)
		}
	}
	_, err = s.Update(name, func(a *App) error { a.RenamedFrom = ""; return nil })
	return err
}

// renameApp lets keys that were given for an app be for its new name.
func (k *Keys) renameApp(old, name string) error {
	return k.change(func(keys []Key) ([]Key, error) {
		keys = slices.Clone(keys)
		for i := range keys {
			keys[i].Apps = slices.Clone(keys[i].Apps)
			for j, app := range keys[i].Apps {
				if app == old {
					keys[i].Apps[j] = name
				}
			}
		}
		return keys, nil
	})
}
