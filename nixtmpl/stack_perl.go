package nixtmpl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hop3/detect"
	"hop3/nixtmpl/packages"
)

// perlView is what the Perl templates need beyond the plan.
type perlView struct {
	Attrs []string
	From  string // what lists the modules
}

func perlRule() rule {
	return rule{
		resolve: resolvePerl,
		view: func(p detect.Plan, _ Resolution, v *view) {
			s := perlView{From: cmp.Or(p.Perl.File, "no cpanfile")}
			for _, d := range distributions(p.Perl) {
				s.Attrs = append(s.Attrs, strings.ReplaceAll(d, "::", ""))
			}
			v.Stack = s
		},
		need: func(p detect.Plan, r Resolution, n *packages.Need) {
			n.Native, n.Versions = r.Template == "perl/carton", map[string]string{"perl": r.Version}
			n.Packages = map[string][]string{"perl": {"Carton"}}
			if !n.Native {
				n.Packages["perl"] = distributions(p.Perl)
			}
		},
	}
}

// perlRuntime takes what is asked for, else something newer: Perl keeps old programs running.
func perlRuntime() runtimeRule {
	return runtimeRule{
		choose: func(want string, have []string) string {
			n := numbers(strings.TrimSpace(strings.TrimLeft(want, ">=v ")))
			if n == nil {
				return ""
			}
			if v := chooseLine(strings.TrimLeft(want, ">=v "), have, 2); v != "" {
				return v
			}
			for _, v := range have {
				if compare(numbers(v), n[:min(len(n), 2)]) >= 0 {
					return v
				}
			}
			return ""
		},
		attr: func(n []int) string {
			if compare(n, []int{5, 42}) >= 0 { // from then on nixpkgs has one Perl, without its number
				return "perl"
			}
			return fmt.Sprintf("perl%d%d", n[0], at(n, 1))
		},
		minimum: true,
	}
}

// resolvePerl takes the modules of the set when they are what the app asks for, else what Carton fetches.
func resolvePerl(p detect.Plan, o RenderOptions, r *Resolution) error {
	f := p.Perl
	why := cartonBecause(f, o.Packages["perl"])
	switch {
	case why == "":
		r.Template, r.Layers = "perl/packages", []string{"deps"}
		return nil
	case f.File != "cpanfile":
		return &detect.ParseError{File: f.File, Msg: why + ": list the modules in a cpanfile, with which they can be fetched"}
	}
	r.Template, r.Layers = "perl/carton", []string{"dists", "deps"}
	r.Fixed = []FixedOutput{fixed("dists", f.LockDigest)}
	if !f.Snapshot {
		r.Warnings = append(r.Warnings, "no cpanfile.snapshot pins the modules ("+why+"): those of the first build are kept until cpanfile changes; run carton install and commit it")
	}
	return nil
}

// cartonBecause returns the first reason why the modules of the set will not do, "" if they will. A snapshot names exact
// versions, which a set hardly ever has.
func cartonBecause(f *detect.PerlFacts, have map[string]string) string {
	if f.Snapshot {
		return "cpanfile.snapshot names versions"
	}
	for _, m := range f.Modules {
		name := distribution(m.Name)
		version, ok := have[name]
		switch {
		case inPerl(m.Name):
		case have == nil && (m.Spec == "" || m.Spec == "0"):
		case have == nil:
			return fmt.Sprintf("%s %s", m.Name, m.Spec)
		case !ok:
			return m.Name + " is not in the package set"
		case name == m.Name && !allowsModule(m.Spec, version):
			return fmt.Sprintf("%s %s, and the package set has %s", m.Name, m.Spec, version)
		}
	}
	return ""
}

// distributions are what the modules of the app are part of, without Perl itself, sorted.
func distributions(f *detect.PerlFacts) []string {
	var list []string
	for _, m := range f.Modules {
		if d := distribution(m.Name); !inPerl(m.Name) && !slices.Contains(list, d) {
			list = append(list, d)
		}
	}
	slices.Sort(list)
	return list
}

// distribution is the main module of the distribution that a well-known module is part of.
func distribution(module string) string {
	for _, d := range []struct{ prefix, main string }{
		{"Mojo", "Mojolicious"}, {"Mojo::Base", "Mojolicious"}, {"Mojo::Server", "Mojolicious"}, {"Mojo::UserAgent", "Mojolicious"}, {"Mojolicious::Lite", "Mojolicious"},
		{"Plack::Builder", "Plack"}, {"Plack::Request", "Plack"}, {"Plack::Response", "Plack"}, {"Plack::Runner", "Plack"}, {"Plack::App::File", "Plack"},
		{"LWP::UserAgent", "LWP"}, {"Template", "Template::Toolkit"},
	} {
		if module == d.prefix {
			return d.main
		}
	}
	return module
}

// inPerl reports whether a module comes with Perl itself.
func inPerl(module string) bool {
	switch module {
	case "strict", "warnings", "utf8", "feature", "parent", "base", "constant", "lib", "vars", "overload", "POSIX", "Carp", "Encode", "Storable", "Socket",
		"Exporter", "Time::HiRes", "Time::Local", "Time::Piece", "JSON::PP", "HTTP::Tiny", "Data::Dumper", "Digest::MD5", "Digest::SHA", "MIME::Base64", "Scalar::Util",
		"List::Util", "File::Spec", "File::Basename", "File::Path", "File::Temp", "File::Find", "File::Copy", "Cwd", "FindBin", "Getopt::Long", "Pod::Usage",
		"IO::File", "IO::Handle", "IO::Socket", "IO::Socket::INET", "IO::Select", "Sys::Hostname", "Text::ParseWords", "Text::Wrap", "Test::More", "Unicode::Normalize",
		"ExtUtils::MakeMaker", "Module::Load", "Module::CoreList", "Term::ANSIColor", "Text::Balanced", "Tie::Hash", "threads", "bigint", "autodie", "version":
		return true
	}
	return false
}

// allowsModule reports whether a version meets what a cpanfile asks for: a version alone is a minimum, and 1.5 is 1.500.
func allowsModule(spec, version string) bool {
	for clause := range strings.SplitSeq(spec, ",") {
		clause = strings.TrimSpace(clause)
		op := clause[:len(clause)-len(strings.TrimLeft(clause, "=<>!"))]
		want, have := perlNumbers(clause[len(op):]), perlNumbers(version)
		if clause == "" {
			continue
		}
		if want == nil || have == nil {
			return false
		}
		c := compare(have, want)
		if ok := map[string]bool{"": c >= 0, ">=": c >= 0, "==": c == 0, "!=": c != 0, "<=": c <= 0, "<": c < 0, ">": c > 0}[op]; !ok {
			return false
		}
	}
	return true
}

// perlNumbers reads 1.5 as 1, 500 and v1.5.0 as 1, 5, 0, as version.pm does.
func perlNumbers(v string) []int {
	v = strings.TrimSpace(strings.ReplaceAll(v, "_", ""))
	dotted := strings.HasPrefix(v, "v") || strings.Count(v, ".") > 1
	whole, fraction, _ := strings.Cut(v, ".")
	if dotted {
		return numbers(strings.TrimPrefix(v, "v"))
	}
	parts := []string{whole}
	for len(fraction)%3 != 0 {
		fraction += "0"
	}
	for ; fraction != ""; fraction = fraction[3:] {
		parts = append(parts, fraction[:3])
	}
	return numbers(strings.Join(parts[:min(len(parts), 4)], "."))
}
