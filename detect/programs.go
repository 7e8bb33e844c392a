package detect

import (
	"regexp"
	"slices"
)

// A program is what the build makes and a process can be, with the file that declares it.
type program struct{ name, from string }

// programName is what can be started by its bare name, with no shell between.
var programName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]*$`)

// startPrograms names the processes that programs can be: the only one is web, else the one that prefer names, else the
// one that is called like a server. The others are kept under their own names.
func (p *Plan) startPrograms(kind string, programs []program, prefer ...string) {
	if !p.wantsStart() {
		return
	}
	programs = slices.DeleteFunc(slices.Clone(programs), func(q program) bool { return !programName.MatchString(q.name) })
	if len(programs) == 0 {
		p.try(kind)
		return
	}
	web := 0
	if len(programs) > 1 {
		web = -1
		for _, want := range append(slices.Clone(prefer), "web", "server", "api") {
			if web = slices.IndexFunc(programs, func(q program) bool { return q.name == want }); web >= 0 {
				break
			}
		}
	}
	if web < 0 {
		var names []string
		for _, q := range programs {
			names = append(names, q.name)
		}
		p.try("the only program (there are several: " + join(names) + ")")
		p.try("a program called web, server or api")
		return
	}
	p.start("web", programs[web].name, programs[web].from)
	for i, q := range programs {
		if i != web && checkProcName(q.name) == nil && q.name != "web" {
			p.start(q.name, q.name, q.from)
		}
	}
}
