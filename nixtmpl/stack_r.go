package nixtmpl

import (
	"fmt"
	"slices"
	"strings"

	"hop3/detect"
	"hop3/nixtmpl/packages"
)

// An rView is what R's templates need beyond the plan.
type rView struct {
	Attrs     []string // of rPackages
	From      string   // what names them
	Libraries []string // attributes of what packages are linked with
}

func rRule() rule {
	return rule{
		resolve: resolveR,
		view: func(p detect.Plan, _ Resolution, v *view) {
			s := rView{From: p.Tool.From}
			for _, q := range p.R.Packages {
				s.Attrs = append(s.Attrs, strings.ReplaceAll(q.Name, ".", "_"))
				for _, l := range rLibraries()[q.Name] {
					if !slices.Contains(s.Libraries, l) {
						s.Libraries = append(s.Libraries, l)
					}
				}
			}
			slices.Sort(s.Libraries)
			v.Stack = s
		},
		need: needR,
	}
}

func needR(p detect.Plan, r Resolution, n *packages.Need) {
	n.Native = r.Template == "r/renv"
	if n.Native {
		return
	}
	var names []string
	for _, q := range p.R.Packages {
		names = append(names, q.Name)
	}
	n.Packages = map[string][]string{"r": names}
}

func rRuntime() runtimeRule {
	return runtimeRule{
		choose: chooseR,
		attr:   func([]int) string { return "R" },
	}
}

// chooseR takes the same minor version, else the oldest newer one, else the newest: a set has one R, and R runs old code.
func chooseR(want string, have []string) string {
	want = strings.TrimSpace(strings.TrimLeft(want, ">= "))
	if same := choosePrefix(want, have); same != "" {
		return same
	}
	for _, v := range slices.Backward(have) {
		if compare(numbers(v), numbers(want)) >= 0 {
			return v
		}
	}
	return ""
}

// resolveR takes the packages of the set when renv.lock asks for those versions or for none, else the sources that
// renv.lock names.
func resolveR(p detect.Plan, o RenderOptions, r *Resolution) error {
	have := o.Packages["r"]
	other := slices.IndexFunc(p.R.Packages, func(q detect.RPackage) bool { return have[q.Name] != q.Version })
	if p.R.Lock != "" && other >= 0 {
		r.Template, r.Layers = "r/renv", []string{"sources", "deps"}
		r.Fixed = []FixedOutput{fixed("r-sources", p.R.LockDigest)}
		return nil
	}
	r.Template, r.Layers = "r/packages", []string{"deps"}
	for _, q := range p.R.Packages {
		if have != nil && have[q.Name] == "" {
			return &detect.UnsupportedError{What: "the R package " + q.Name + ", which this package set does not have,", Evidence: q.From,
				Fix: fmt.Sprintf("run renv::snapshot() and commit renv.lock: its packages are fetched and compiled; this set has %d of its own", len(have))}
		}
	}
	return nil
}

// rLibraries are the attributes of the libraries that well-known packages are linked with.
func rLibraries() map[string][]string {
	return map[string][]string{
		"curl": {"curl"}, "openssl": {"openssl"}, "xml2": {"libxml2"}, "XML": {"libxml2"}, "png": {"libpng"}, "jpeg": {"libjpeg"},
		"RPostgres": {"libpq"}, "RPostgreSQL": {"libpq"}, "RMariaDB": {"libmysqlclient"}, "RMySQL": {"libmysqlclient"}, "sodium": {"libsodium"},
		"systemfonts": {"fontconfig", "freetype"}, "textshaping": {"freetype", "fribidi", "harfbuzz"}, "ragg": {"freetype", "libjpeg", "libpng", "libtiff"},
		"stringi": {"icu"}, "git2r": {"libgit2"}, "gert": {"libgit2"}, "magick": {"imagemagick"}, "protolite": {"protobuf"}, "redux": {"hiredis"},
	}
}
