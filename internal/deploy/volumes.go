package deploy

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"hop3/detect"
	"hop3/internal/state"
	"hop3/procman/sandbox"
)

var volumeName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// volumesOf returns the folders of hop3.toml's [[volumes]]. A path that is not absolute is one of /app; a volume without a
// name has that of its folder.
func volumesOf(list []detect.Volume) ([]state.Volume, error) {
	var out []state.Volume
	seen := map[string]bool{}
	for _, v := range list {
		at := path.Clean(v.Path)
		if !path.IsAbs(at) {
			at = path.Join("/app", at)
		}
		name := v.Name
		if name == "" {
			name = strings.ToLower(path.Base(at))
		}
		switch {
		case !volumeName.MatchString(name):
			return nil, fmt.Errorf("the volume %q needs a name of small letters, digits, - and _", v.Path)
		case at == "/app" || at == "/data" || at == "/tmp":
			return nil, fmt.Errorf("the volume %s cannot be all of %s", name, at)
		case seen[name] || seen[at]:
			return nil, fmt.Errorf("the volume %s is there twice", name)
		}
		if err := (sandbox.Mount{From: "/data/" + name, To: at}).Check(); err != nil {
			return nil, fmt.Errorf("the volume %s cannot be at %s: that place is the system's", name, at)
		}
		seen[name], seen[at] = true, true
		out = append(out, state.Volume{Name: name, Path: at})
	}
	return out, nil
}

// mounts are the volumes of a release: folders of the app's data, so that they are backed up, measured and kept with it. The
// names are the app's, the place on the host never is.
func mounts(rel state.Release, data string) []sandbox.Mount {
	var out []sandbox.Mount
	for _, v := range rel.Volumes {
		out = append(out, sandbox.Mount{From: filepath.Join(data, v.Name), To: v.Path})
	}
	return out
}

// checkPlaces refuses what the app's files ask for and this server cannot give.
func (p *Pipeline) checkPlaces(m detect.Manifest) error {
	if _, err := volumesOf(m.Volumes); err != nil {
		return &Failure{What: "hop3.toml [[volumes]]: " + err.Error(), Mend: `for example: [[volumes]] name = "uploads" path = "public/uploads"`, Why: "not deployable"}
	}
	if len(m.Volumes) > 0 && !p.Supervisor.Isolated() {
		return &Failure{What: "the app has [[volumes]], and this server runs apps without isolation, where nothing can be mounted", Mend: "keep the files in $DATA_DIR", Why: "not deployable"}
	}
	if m.Port != 0 && !p.Supervisor.PrivateNetwork() {
		return &Failure{What: fmt.Sprintf("the app wants port %d for itself, and on this server apps share the machine's network", m.Port), Mend: "listen on $PORT and take [port] out; or run the server as root, with network = \"private\"", Why: "not deployable"}
	}
	return nil
}
