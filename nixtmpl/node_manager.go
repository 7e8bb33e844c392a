package nixtmpl

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// managerRuntime is the rule of a package manager whose attribute carries its major version.
func managerRuntime(name, sep string) runtimeRule {
	return runtimeRule{
		choose: chooseManager,
		attr:   func(n []int) string { return fmt.Sprintf("%s%s%d", name, sep, n[0]) },
	}
}

// oneRuntime is the rule of a tool that a package set has in one version.
func oneRuntime(name string) runtimeRule {
	return runtimeRule{
		minimum: true,
		choose:  func(_ string, have []string) string { return first(have) },
		attr:    func([]int) string { return name },
	}
}

// chooseManager takes the major version that is asked for, the newest where a range or a newer one is.
func chooseManager(want string, have []string) string {
	want = strings.TrimPrefix(strings.TrimSpace(want), "v")
	exact := numbers(strings.SplitN(want, "-", 2)[0])
	if exact == nil {
		c, err := semver.NewConstraint(want)
		for _, v := range have {
			if s, verr := semver.NewVersion(newest(v)); err == nil && verr == nil && c.Check(s) {
				return v
			}
		}
		return ""
	}
	for _, v := range have {
		if numbers(v)[0] == exact[0] {
			return v
		}
	}
	if newestOne := first(have); newestOne != "" && numbers(newestOne)[0] < exact[0] {
		return newestOne
	}
	return ""
}
