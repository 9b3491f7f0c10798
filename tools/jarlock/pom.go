package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"

	"deps.dev/util/maven"
	"deps.dev/util/resolve"
	"golang.org/x/net/html/charset"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

// poms is a client of the resolver that reads the POMs of a repository. It is not safe for
// concurrent use.
type poms struct {
	repo  *repository
	known map[maven.ProjectKey]maven.Project // as read, nothing inherited
}

// Version returns a version if it has a POM.
func (p *poms) Version(ctx context.Context, vk resolve.VersionKey) (resolve.Version, error) {
	key, err := maven.MakeProjectKey(vk.Name, vk.Version)
	if err != nil {
		return resolve.Version{}, err
	}
	_, err = p.read(ctx, key)
	return resolve.Version{VersionKey: vk}, err
}

// Versions returns an error. The resolver calls it for a range of versions, with which the
// lock would change at each release of that artifact.
func (p *poms) Versions(_ context.Context, pk resolve.PackageKey) ([]resolve.Version, error) {
	return nil, fmt.Errorf("%s is required with a range of versions, which jarlock does not support", pk.Name)
}

// MatchingVersions is not called by the resolver for Maven.
func (p *poms) MatchingVersions(ctx context.Context, vk resolve.VersionKey) ([]resolve.Version, error) {
	return p.Versions(ctx, vk.PackageKey)
}

// Requirements returns the dependencies and the dependency management of a version's
// effective POM. Only profiles that are active by default count, so that the lock does not
// depend on the machine.
func (p *poms) Requirements(ctx context.Context, vk resolve.VersionKey) ([]resolve.RequirementVersion, error) {
	key, err := maven.MakeProjectKey(vk.Name, vk.Version)
	if err != nil {
		return nil, err
	}
	project, err := p.inherited(ctx, key)
	if err != nil {
		return nil, err
	}
	// ProcessDependencies ignores an import that fails.
	var failed error
	project.ProcessDependencies(func(group, artifact, version maven.String) (maven.DependencyManagement, error) {
		imported, err := p.inherited(ctx, maven.ProjectKey{GroupID: group, ArtifactID: artifact, Version: version})
		if err != nil && failed == nil {
			failed = fmt.Errorf("%s imports %s:%s:%s: %w", vk.Name, group, artifact, version, err)
		}
		return imported.DependencyManagement, err
	})
	if failed != nil {
		return nil, failed
	}
	var all []resolve.RequirementVersion
	add := func(dependencies []maven.Dependency, origin string) {
		for _, d := range dependencies {
			all = append(all, resolve.RequirementVersion{
				VersionKey: resolve.VersionKey{
					PackageKey:  resolve.PackageKey{System: resolve.Maven, Name: d.Name()},
					VersionType: resolve.Requirement,
					Version:     string(d.Version),
				},
				Type: resolve.MavenDepType(d, origin),
			})
		}
	}
	add(project.Dependencies, "")
	add(project.DependencyManagement.Dependencies, "management")
	return all, nil
}

// inherited returns a POM merged with its parents.
func (p *poms) inherited(ctx context.Context, key maven.ProjectKey) (maven.Project, error) {
	project, err := p.read(ctx, key)
	if err != nil {
		return project, err
	}
	seen := map[maven.ProjectKey]bool{key: true}
	for parent := project.Parent.ProjectKey; parent.ArtifactID != ""; {
		if seen[parent] {
			return project, fmt.Errorf("%s is its own ancestor", pomName(parent))
		}
		seen[parent] = true
		above, err := p.read(ctx, parent)
		if err != nil {
			return project, fmt.Errorf("parent of %s: %w", pomName(key), err)
		}
		project.MergeParent(above)
		parent = above.Parent.ProjectKey
	}
	if err := project.Interpolate(); err != nil {
		return project, fmt.Errorf("%s: %w", pomName(key), err)
	}
	return project, nil
}

// read returns a POM merged with its default profiles.
func (p *poms) read(ctx context.Context, key maven.ProjectKey) (maven.Project, error) {
	if project, ok := p.known[key]; ok {
		return project, nil
	}
	coordinate := pomName(key)
	text, err := p.repo.get(ctx, bootstrap.Coordinate{Group: string(key.GroupID), Artifact: string(key.ArtifactID), Extension: "pom", Version: string(key.Version)}.Path())
	if errors.Is(err, errNotFound) {
		return maven.Project{}, fmt.Errorf("%s: %w: %w", coordinate, resolve.ErrNotFound, err)
	}
	if err != nil {
		return maven.Project{}, err
	}
	project, err := parsePOM(text)
	if err != nil {
		return project, fmt.Errorf("POM of %s: %w", coordinate, err)
	}
	if to := project.DistributionManagement.Relocation; to != (maven.Relocation{}) {
		return project, fmt.Errorf("%s was moved to %s:%s:%s, which jarlock does not support", coordinate, to.GroupID, to.ArtifactID, to.Version)
	}
	p.known[key] = project
	return project, nil
}

func parsePOM(text []byte) (maven.Project, error) {
	decoder := xml.NewDecoder(bytes.NewReader(text))
	decoder.CharsetReader = charset.NewReaderLabel
	var project maven.Project
	if err := decoder.Decode(&project); err != nil {
		return project, err
	}
	err := project.MergeProfiles("", maven.ActivationOS{})
	return project, err
}

func pomName(key maven.ProjectKey) string { return key.Name() + ":" + string(key.Version) }
