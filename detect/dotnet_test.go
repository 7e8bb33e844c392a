package detect

import (
	"errors"
	"slices"
	"testing"
	"testing/fstest"
)

func TestParseMSBuild(t *testing.T) {
	p, err := parseMSBuild("src/A/A.csproj", []byte(`<Project><Sdk Name="Microsoft.NET.Sdk.Web/9.0" />
<PropertyGroup Condition="x"><TargetFrameworks>net8.0; net10.0 ;net9.0</TargetFrameworks></PropertyGroup>
<!-- <PackageReference Include="No" /> -->
<ItemGroup><PackageReference Include="Yes" Version="1"/><PackageReference Update="No"/><ProjectReference Include="..\B\B.csproj"/></ItemGroup></Project>`))
	if err != nil || p.sdk != "Microsoft.NET.Sdk.Web" || p.framework() != "10.0" || !slices.Equal(p.packages, []string{"Yes"}) || !slices.Equal(p.projects, []string{"src/B/B.csproj"}) {
		t.Errorf("%+v, %v", p, err)
	}
	for _, bad := range []string{"<a/>", "<Project>", "<Project></a>", "<Project x=1/>"} {
		if _, err := parseMSBuild("A.csproj", []byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		} else if pe, ok := errors.AsType[*ParseError](err); !ok || pe.Line != 1 {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestWithoutComments(t *testing.T) {
	const in = "{ // a\n \"x//\\\"\": \"/* b */\", /* c\n */ \"y\": 1 } /*"
	const want = "{     \n \"x//\\\"\": \"/* b */\",     \n    \"y\": 1 }   "
	if got := string(withoutComments([]byte(in))); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzMSBuild(f *testing.F) {
	f.Add("<Project Sdk=\"Microsoft.NET.Sdk.Web\"><PropertyGroup><TargetFramework>net8.0</TargetFramework><AssemblyName>x y</AssemblyName></PropertyGroup></Project>",
		"Project(\"{00}\") = \"a\", \"b\\c.csproj\", \"{1}\"\n", "{ // x\n \"sdk\": {\"version\": \"8.0.100\"} }")
	f.Add("<Project><ItemGroup><ProjectReference Include=\"A.csproj\"/></ItemGroup></Project>", "<Solution><Project Path=\"A.csproj\"/></Solution>", "/*")
	f.Fuzz(func(t *testing.T, project, solution, global string) {
		plan, err := Detect(fstest.MapFS{"A.csproj": {Data: []byte(project)}, "A.sln": {Data: []byte(solution)}, "A.slnx": {Data: []byte(solution)}, "global.json": {Data: []byte(global)}})
		if err != nil || plan.Dotnet == nil {
			return
		}
		for _, p := range plan.Dotnet.Projects {
			if !assemblyName.MatchString(p.Assembly) || !netMoniker.MatchString("net"+p.Framework) {
				t.Fatalf("%q gave %+v", project, p)
			}
		}
	})
}
