package nixtmpl

import (
	"fmt"
	"slices"

	"hop3/detect"
	"hop3/detect/constraint"
	"hop3/nixtmpl/packages"
)

// phpView is what the PHP template needs beyond the plan.
type phpView struct {
	Extensions []string // beyond those that nixpkgs enables
	Open       bool     // the whole tree is served, so that some of it must be hidden
}

func phpRule() rule {
	return rule{
		resolve: resolvePHP,
		view: func(p detect.Plan, _ Resolution, v *view) {
			v.Stack = phpView{Extensions: morePHP(p.PHP), Open: p.PHP.Root == "."}
		},
		need: func(p detect.Plan, r Resolution, n *packages.Need) {
			n.Versions, n.Packages = map[string]string{"php": r.Version}, map[string][]string{"php": morePHP(p.PHP)}
		},
	}
}

func phpRuntime() runtimeRule {
	return runtimeRule{
		choose: func(want string, have []string) string {
			if numbers(want) != nil {
				return chooseLine(want, have, 2)
			}
			set, err := constraint.Composer(want)
			if err != nil {
				return ""
			}
			return set.Newest(have)
		},
		attr: func(n []int) string { return fmt.Sprintf("php%d%d", n[0], at(n, 1)) },
	}
}

func resolvePHP(p detect.Plan, o RenderOptions, r *Resolution) error {
	f := p.PHP
	have := o.Packages["php"]
	for _, ext := range morePHP(f) {
		if _, ok := have[ext]; have != nil && !ok {
			return &detect.UnsupportedError{What: "the PHP extension " + ext, Evidence: p.Tool.From, Fix: "the package set lacks it; another set is chosen by [nix] nixpkgs in hop3.toml"}
		}
	}
	if len(f.Packages) > 0 {
		r.Layers = []string{"deps"}
	}
	if f.Fetched {
		r.Layers = []string{"archives", "deps"}
		r.Fixed = []FixedOutput{fixed("archives", f.LockDigest)}
	}
	return nil
}

// morePHP are the extensions that the app asks for and nixpkgs does not enable by itself.
func morePHP(f *detect.PHPFacts) []string {
	enabled := []string{
		"bcmath", "calendar", "ctype", "curl", "dom", "exif", "fileinfo", "filter", "ftp", "gettext", "gmp", "iconv", "intl", "mbstring", "mysqli", "mysqlnd",
		"opcache", "openssl", "pcntl", "pdo", "pdo_mysql", "pdo_pgsql", "pdo_sqlite", "pgsql", "posix", "readline", "session", "simplexml", "soap", "sockets",
		"sodium", "sqlite3", "sysvsem", "tokenizer", "xml", "xmlreader", "xmlwriter", "zip", "zlib",
	}
	return slices.DeleteFunc(slices.Clone(f.Extensions), func(e string) bool { return slices.Contains(enabled, e) })
}
