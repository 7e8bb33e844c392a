package nixtmpl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hop3/nixtmpl/packages"
)

// needsName is the file beside a build's roots that says what it took of the offline package set.
const needsName = "needs.json"

type needsFile struct {
	Version int             `json:"version"`
	Needs   []packages.Need `json:"needs"`
}

func noteNeeds(dir string, list []packages.Need) error {
	data, err := json.Marshal(needsFile{1, list})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, needsName), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("note what the build needs: %w", err)
	}
	return nil
}

// Retain has the next collection of garbage leave what the builds with these root folders took of the offline package set:
// the next push of the app will ask for it, and there may be no network then. Folders without a note are of older builds.
func (b *Builder) Retain(ctx context.Context, rootDirs ...string) error {
	if b == nil || b.Set == nil {
		return nil
	}
	var list []packages.Need
	for _, dir := range rootDirs {
		data, err := os.ReadFile(filepath.Join(dir, needsName))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var note needsFile
		if err == nil {
			err = json.Unmarshal(data, &note)
		}
		if err != nil {
			return fmt.Errorf("read what a build needed: %w", err)
		}
		list = append(list, note.Needs...)
	}
	return b.Set.Retain(ctx, list...)
}
