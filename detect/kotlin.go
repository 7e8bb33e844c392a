package detect

import (
	"path"
	"strings"
)

// claimKotlin takes builds that apply the Kotlin plug-in, and programs of Kotlin files alone. A build script in Kotlin says
// nothing about the language of the app.
func claimKotlin(t *tree) []Evidence {
	switch f := buildFile(t); {
	case f == "pom.xml":
		return claimKotlinMaven(t)
	case f != "":
		b, err := readGradleBuild(t)
		if err != nil {
			return nil // java says what is wrong with it
		}
		if p, m := b.kotlin(); m != nil {
			ev := []Evidence{{File: m.file, Line: p.line, Why: "plug-in " + p.id}}
			if strings.Contains(m.file, "/") {
				ev = append([]Evidence{{File: f, Why: "build file"}}, ev...)
				ev[1].Weight = weightWeak
			}
			return ev
		}
		return nil
	}
	if t.has("build.sbt") {
		return nil
	}
	return claimSources(t, ".kt")
}

func claimKotlinMaven(t *tree) []Evidence {
	r, err := readReactor(t)
	if err != nil {
		return nil
	}
	for _, m := range r.list {
		if e, in := m.plugin("kotlin-maven-plugin"); e != nil {
			return []Evidence{{File: in.file, Line: e.line, Why: "kotlin-maven-plugin"}}
		}
	}
	return nil
}

func planKotlin(t *tree, p *Plan) error {
	jvmEnv(p)
	switch f := buildFile(t); {
	case f == "pom.xml":
		return planMaven(t, p)
	case f != "":
		return planGradle(t, p)
	}
	return planSources(t, p, ".kt", "kotlinc")
}

func hasExt(file, ext string) bool { return path.Ext(file) == ext }

func hasSlash(file string) bool { return strings.Contains(file, "/") }
