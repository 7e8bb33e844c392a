package procman

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// volumes makes the folders of r's mounts that lie in its data and are missing. The data is the app's, who may have put
// anything there.
func (r *Release) volumes() error {
	if len(r.Mounts) == 0 {
		return nil
	}
	data, err := os.OpenRoot(r.DataDir)
	if err != nil {
		return fmt.Errorf("open data folder of app %s: %w", r.App, err)
	}
	defer data.Close() //nolint:errcheck // only read
	for _, m := range r.Mounts {
		name, ok := strings.CutPrefix(m.From, r.DataDir+"/")
		if !ok {
			continue
		}
		err := data.Mkdir(name, 0o700)
		if err == nil && os.Geteuid() == 0 && r.UID != 0 {
			err = data.Lchown(name, r.UID, r.UID)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make volume of app %s: %w", r.App, err)
		}
	}
	return nil
}
