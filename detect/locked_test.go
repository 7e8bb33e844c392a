package detect

import (
	"fmt"
	"slices"
	"testing"
	"testing/fstest"
)

// TestLockedPackages reads what a bill of materials lists from the files that name it.
func TestLockedPackages(t *testing.T) {
	const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"maven": {map[string]string{
			"pom.xml": `<project><groupId>org.example</groupId><artifactId>top</artifactId><version>1</version><packaging>pom</packaging><modules><module>web</module></modules>
<properties><slf4j.version>2.0.13</slf4j.version></properties>
<dependencyManagement><dependencies><dependency><groupId>com.google.guava</groupId><artifactId>guava</artifactId><version>33.2.1-jre</version></dependency></dependencies></dependencyManagement></project>`,
			"web/pom.xml": `<project><parent><groupId>org.example</groupId><artifactId>top</artifactId><version>1</version></parent><artifactId>web</artifactId><dependencies>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-api</artifactId><version>${slf4j.version}</version></dependency>
<dependency><groupId>com.google.guava</groupId><artifactId>guava</artifactId></dependency>
<dependency><groupId>org.example</groupId><artifactId>top</artifactId><version>1</version></dependency>
<dependency><groupId>a</groupId><artifactId>unknown</artifactId><version>${nowhere}</version></dependency>
<dependency><groupId>a</groupId><artifactId>range</artifactId><version>[1,2)</version></dependency>
<dependency><groupId>junit</groupId><artifactId>junit</artifactId><version>4.13</version><scope>test</scope></dependency></dependencies></project>`,
			"web/src/main/java/Main.java": "public class Main { public static void main(String[] a) {} }",
		}, []string{"maven com.google.guava:guava 33.2.1-jre ", "maven org.slf4j:slf4j-api 2.0.13 "}},
		"gradle": {map[string]string{
			"build.gradle": "apply plugin: 'java'\napply plugin: 'application'\nmainClassName = 'Main'\n", "src/main/java/Main.java": "public class Main { public static void main(String[] a) {} }",
			"gradle.lockfile": "# written by gradle\ncom.google.guava:guava:33.2.1-jre=compileClasspath,testCompileClasspath\njunit:junit:4.13=testCompileClasspath\nempty=annotationProcessor\n",
		}, []string{"maven com.google.guava:guava 33.2.1-jre "}},
		"nuget": {map[string]string{
			"Hello.csproj":       `<Project Sdk="Microsoft.NET.Sdk.Web"><PropertyGroup><TargetFramework>net8.0</TargetFramework></PropertyGroup></Project>`,
			"packages.lock.json": `{"version":1,"dependencies":{"net8.0":{"Serilog":{"type":"Direct","resolved":"3.1.1","contentHash":"P6G4/4Kt9bT635bhuwdXlJ2SCqqn2nhh4gqFqQueCOr9bK/e7W9ll/IoX1Ter948cV2Z/5+5v8pAfJYUISY03A=="},"core":{"type":"Project"}}}}`,
		}, []string{"nuget Serilog 3.1.1 "}},
		"crates": {map[string]string{
			"Cargo.toml": "[package]\nname = \"x\"\nversion = \"1.0.0\"\nedition = \"2021\"\n[dependencies]\nitoa = \"1\"\n", "src/main.rs": "fn main() {}",
			"Cargo.lock": "version = 3\n[[package]]\nname = \"itoa\"\nversion = \"1.0.11\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"" + sum + "\"\n[[package]]\nname = \"x\"\nversion = \"1.0.0\"\ndependencies = [\"itoa\"]\n",
		}, []string{"cargo itoa 1.0.11 sha256:" + sum}},
		"go": {map[string]string{
			"go.mod": "module x\n\ngo 1.22\n\nrequire golang.org/x/text v0.3.0\n", "main.go": "package main\nfunc main() {}\n",
			"go.sum": "golang.org/x/text v0.3.0 h1:g61tztE5qeGQ89tm6NTjjM9VPIm088od1l6aSorWRWg=\ngolang.org/x/text v0.3.0/go.mod h1:NqM8EUOU14njkJ3fqMW+pc6Ldnwhi/IjpwHt7yyuwOQ=\n",
		}, []string{"golang golang.org/x/text v0.3.0 "}},
		"python": {map[string]string{"app.py": "import flask", "requirements.txt": "Flask==3.0.3\nrequests>=2\n"}, []string{"pypi flask 3.0.3 "}},
	} {
		t.Run(name, func(t *testing.T) {
			tree := fstest.MapFS{}
			for file, text := range c.files {
				tree[file] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
			}
			plan, err := Detect(tree)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range LockedPackages(tree, plan) {
				got = append(got, fmt.Sprintf("%s %s %s %s", l.Type, l.Name, l.Version, l.Digest))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
		})
	}
}
