package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"deps.dev/util/maven"
	"deps.dev/util/resolve"
	"deps.dev/util/resolve/dep"
	mavenresolve "deps.dev/util/resolve/maven"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

// daemon is the artifact of the locks.
const daemon = "software.amazon.kinesis:amazon-kinesis-client-multilang"

// A cut leaves out what is reached only through an artifact.
type cut struct {
	artifact string // group:artifact
	// itself is whether the artifact is left out too.
	itself bool
}

// slim cuts the Glue Schema Registry, which no property of the daemon uses. KCL's classes
// refer to a class of schema-registry-serde, so that this jar is needed to load them, but
// it is never used.
var slim = []cut{
	{artifact: "software.amazon.glue:schema-registry-serde"},
	{artifact: "software.amazon.glue:schema-registry-common", itself: true},
}

// used are artifacts that KCL 2.5 uses without declaring them, reached only through a cut.
var used = []string{"software.amazon.awssdk:arns"}

// added are artifacts of the AWS SDK that its profiles look for on the class path and the
// daemon does not declare. Their version is that of sdkMark.
var added = []string{"software.amazon.awssdk:sso", "software.amazon.awssdk:ssooidc"}

// sdkMark is an artifact whose version is that of the daemon's AWS SDK.
const sdkMark = "software.amazon.awssdk:sts"

// additions returns the files of added. Their dependencies must be among the given files,
// in any version.
func additions(ctx context.Context, repo *repository, to []bootstrap.Coordinate) ([]bootstrap.Coordinate, error) {
	version := ""
	names := make(map[string]bool)
	for _, c := range to {
		names[c.Group+":"+c.Artifact] = true
		if c.Group+":"+c.Artifact == sdkMark {
			version = c.Version
		}
	}
	if version == "" {
		return nil, fmt.Errorf("the version of the AWS SDK is unknown: the closure has no %s", sdkMark)
	}
	for _, artifact := range added {
		names[artifact] = true
	}
	var more []bootstrap.Coordinate
	for _, artifact := range added {
		closure, err := closureOf(ctx, repo, artifact, version)
		if err != nil {
			return nil, err
		}
		all, err := files(closure)
		if err != nil {
			return nil, err
		}
		for _, c := range all {
			switch name := c.Group + ":" + c.Artifact; {
			case name == artifact:
				more = append(more, c)
			case !names[name]:
				return nil, fmt.Errorf("%s needs %s, which the daemon does not have: add it too", artifact, c)
			}
		}
	}
	return more, nil
}

// merge returns the files of both, sorted.
func merge(a, b []bootstrap.Coordinate) []bootstrap.Coordinate {
	return slices.SortedFunc(slices.Values(slices.Concat(a, b)), byText)
}

func byText(a, b bootstrap.Coordinate) int { return strings.Compare(a.String(), b.String()) }

// closureOf resolves an artifact as Maven does for a project that depends on it. The graph
// has all that Maven would put on the class path.
func closureOf(ctx context.Context, repo *repository, artifact, version string) (*resolve.Graph, error) {
	client := &poms{repo: repo, known: make(map[maven.ProjectKey]maven.Project)}
	graph, err := mavenresolve.NewResolver(dependent{client, artifact}).Resolve(ctx, resolve.VersionKey{
		PackageKey:  resolve.PackageKey{System: resolve.Maven, Name: artifact},
		VersionType: resolve.Concrete,
		Version:     version,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot resolve %s:%s: %w", artifact, version, err)
	}
	if graph.Error != "" {
		return nil, fmt.Errorf("cannot resolve %s:%s: %s", artifact, version, graph.Error)
	}
	for _, n := range graph.Nodes {
		for _, e := range n.Errors {
			return nil, fmt.Errorf("cannot resolve %s:%s: %s wants %s: %s", artifact, version, n.Version.Name, e.Req.Name, e.Error)
		}
	}
	return graph, nil
}

// A dependent hides the root's test, provided and optional dependencies, which the resolver
// would follow. They are needed only to build the root.
type dependent struct {
	*poms
	root string
}

func (d dependent) Requirements(ctx context.Context, vk resolve.VersionKey) ([]resolve.RequirementVersion, error) {
	all, err := d.poms.Requirements(ctx, vk)
	if vk.Name != d.root {
		return all, err
	}
	return slices.DeleteFunc(all, func(r resolve.RequirementVersion) bool {
		scope, _ := r.Type.GetAttr(dep.Scope)
		managed := r.Type.HasAttr(dep.MavenDependencyOrigin)
		return !managed && (r.Type.HasAttr(dep.Test) || r.Type.HasAttr(dep.Opt) || scope == "provided")
	}), err
}

// files returns the coordinates of a closure after the cuts, sorted. It returns an error for
// a cut whose artifact is not in the closure.
func files(closure *resolve.Graph, cuts ...cut) ([]bootstrap.Coordinate, error) {
	byName := make(map[string]cut)
	for _, cut := range cuts {
		byName[cut.artifact] = cut
		if !slices.ContainsFunc(closure.Nodes, func(n resolve.Node) bool { return n.Version.Name == cut.artifact }) {
			return nil, fmt.Errorf("cannot cut %s: it is not in the closure", cut.artifact)
		}
	}
	files := make(map[bootstrap.Coordinate]bool)
	seen := make(map[resolve.NodeID]bool)
	var todo []resolve.NodeID
	for id, node := range closure.Nodes {
		if id > 0 && !slices.Contains(used, node.Version.Name) {
			continue
		}
		file, err := coordinate(node.Version, dep.Type{})
		if err != nil {
			return nil, err
		}
		files[file], seen[resolve.NodeID(id)], todo = true, true, append(todo, resolve.NodeID(id))
	}
	for len(todo) > 0 {
		from := todo[0]
		todo = todo[1:]
		if _, ok := byName[closure.Nodes[from].Version.Name]; ok {
			continue
		}
		for _, e := range closure.Edges {
			to := closure.Nodes[e.To].Version
			if e.From != from || byName[to.Name].itself {
				continue
			}
			// A node is a version with all its files; edges distinguish jars and native
			// libraries.
			file, err := coordinate(to, e.Type)
			if err != nil {
				return nil, err
			}
			files[file] = true
			if !seen[e.To] {
				seen[e.To] = true
				todo = append(todo, e.To)
			}
		}
	}
	return slices.SortedFunc(maps.Keys(files), byText), nil
}

// coordinate returns the file of a dependency of type t on a version.
func coordinate(vk resolve.VersionKey, t dep.Type) (bootstrap.Coordinate, error) {
	group, artifact, ok := strings.Cut(vk.Name, ":")
	if !ok {
		return bootstrap.Coordinate{}, fmt.Errorf("%q must have the form group:artifact", vk.Name)
	}
	c := bootstrap.Coordinate{Group: group, Artifact: artifact, Extension: "jar", Version: vk.Version}
	c.Classifier, _ = t.GetAttr(dep.MavenClassifier)
	if extension, ok := t.GetAttr(dep.MavenArtifactType); ok {
		c.Extension = extension
	}
	return c, nil
}
