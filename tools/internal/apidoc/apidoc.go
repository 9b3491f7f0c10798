// Package apidoc finds what the documentation of a public package lacks: what
// a reader of its page on pkg.go.dev would ask for.
package apidoc

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Package is a folder with Go files.
type Package struct {
	// Dir is relative to the folder that was searched, with forward slashes.
	Dir string
	// Name is the package's.
	Name string
	// Command reports whether it is a program.
	Command bool

	fset  *token.FileSet
	files []*ast.File // without tests
	tests []*ast.File
}

// A Finding is something that is missing, and where.
type Finding struct {
	// At is FILE:LINE, or a folder.
	At string
	// What is missing, in a few words.
	What string
}

func (f Finding) String() string { return f.At + ": " + f.What }

// Packages returns the packages at and below root that others can import or
// install: none of internal, of testdata, or of a nested module.
func Packages(root string) ([]*Package, error) {
	var all []*Package
	err := filepath.WalkDir(root, func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if dir != root {
			switch name := d.Name(); {
			case name == "internal", name == "testdata", strings.HasPrefix(name, "."), strings.HasPrefix(name, "_"):
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				return fs.SkipDir
			}
		}
		p, err := load(root, dir)
		if p != nil {
			all = append(all, p)
		}
		return err
	})
	return all, err
}

// load parses the files of a folder, whatever system they are for. It returns
// nil when there are none but tests.
func load(root, dir string) (*Package, error) {
	rel, err := filepath.Rel(root, dir)
	if err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	p := &Package{Dir: filepath.ToSlash(rel), fset: token.NewFileSet()}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		shown := filepath.ToSlash(filepath.Join(rel, filepath.Base(name)))
		f, err := parser.ParseFile(p.fset, shown, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(name, "_test.go") {
			p.tests = append(p.tests, f)
			continue
		}
		p.Name = f.Name.Name
		p.files = append(p.files, f)
	}
	if len(p.files) == 0 {
		return nil, nil
	}
	p.Command = p.Name == "main"
	return p, nil
}

// Check returns what the package's documentation lacks, in the order of its
// places:
//
//   - a package comment: "Package NAME ...", in a doc.go unless the package is
//     one file, or a command's;
//   - a comment of each exported constant, variable, function, type, method,
//     field, and method of an interface; one comment may be that of a block of
//     lines, which a blank line ends;
//   - an example whose output is compared, of the package if it exports
//     anything, and of each exported function but options.
//
// A command needs its package comment only. cannotRun names the functions of
// which no example can run here: one that is compiled must show them.
func (p *Package) Check(cannotRun ...string) []Finding {
	var found []Finding
	add := func(at token.Pos, format string, args ...any) {
		position := p.fset.Position(at)
		found = append(found, Finding{fmt.Sprintf("%s:%d", position.Filename, position.Line), fmt.Sprintf(format, args...)})
	}
	if what := p.packageComment(); what != "" {
		found = append(found, Finding{p.Dir, what})
	}
	if p.Command {
		return found
	}
	for _, f := range p.files {
		for _, d := range f.Decls {
			p.decl(d, add)
		}
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return cmp.Compare(file(a.At), file(b.At)) })
	return append(found, p.examples(cannotRun)...)
}

func file(at string) string {
	name, _, _ := strings.Cut(at, ":")
	return name
}

func (p *Package) packageComment() string {
	for _, f := range p.files {
		if f.Doc == nil {
			continue
		}
		text := f.Doc.Text()
		name := filepath.Base(p.fset.Position(f.Package).Filename)
		switch {
		case p.Command:
			return ""
		case !strings.HasPrefix(text, "Package "+p.Name+" "):
			return fmt.Sprintf("the package comment does not begin with Package %s", p.Name)
		case name != "doc.go" && len(p.files) > 1:
			return "the package comment is in " + name + ", not in doc.go"
		}
		return ""
	}
	return "there is no package comment"
}

func (p *Package) decl(d ast.Decl, add func(token.Pos, string, ...any)) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		receiver := receiverType(d)
		if !d.Name.IsExported() || receiver != "" && !ast.IsExported(receiver) || d.Doc.Text() != "" || standard[d.Name.Name] && receiver != "" {
			return
		}
		if receiver != "" {
			add(d.Pos(), "method %s.%s has no comment", receiver, d.Name.Name)
		} else {
			add(d.Pos(), "func %s has no comment", d.Name.Name)
		}
	case *ast.GenDecl:
		commented := false // of the block of lines that goes on
		last := 0
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if !s.Name.IsExported() {
					continue
				}
				if s.Doc.Text() == "" && (d.Doc.Text() == "" || d.Lparen.IsValid()) {
					add(s.Pos(), "type %s has no comment", s.Name.Name)
				}
				p.members(s, add)
			case *ast.ValueSpec:
				own := s.Doc.Text() != "" || s.Comment.Text() != ""
				commented = own || commented && p.line(s.Pos()) == last+1
				last = p.line(s.End())
				for _, name := range s.Names {
					if name.IsExported() && !commented && d.Doc.Text() == "" {
						add(name.Pos(), "%s %s has no comment", d.Tok, name.Name)
					}
				}
			}
		}
	}
}

// standard are methods whose names say it all.
var standard = map[string]bool{"Error": true, "Unwrap": true, "Is": true, "As": true, "String": true}

// members looks at the fields of a struct and the methods of an interface.
func (p *Package) members(t *ast.TypeSpec, add func(token.Pos, string, ...any)) {
	var fields *ast.FieldList
	what := "field"
	switch u := t.Type.(type) {
	case *ast.StructType:
		fields = u.Fields
	case *ast.InterfaceType:
		fields, what = u.Methods, "method"
	default:
		return
	}
	commented, last := false, 0
	for _, f := range fields.List {
		own := f.Doc.Text() != "" || f.Comment.Text() != ""
		commented = own || commented && p.line(f.Pos()) == last+1
		last = p.line(f.End())
		for _, name := range f.Names { // none for what is embedded
			if name.IsExported() && !commented {
				add(name.Pos(), "%s %s.%s has no comment", what, t.Name.Name, name.Name)
			}
		}
	}
}

func (p *Package) line(at token.Pos) int { return p.fset.Position(at).Line }

func receiverType(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if generic, ok := t.(*ast.IndexExpr); ok {
		t = generic.X
	}
	if name, ok := t.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

// examples looks for the examples and what they show: the names of this package
// that they use.
func (p *Package) examples(cannotRun []string) []Finding {
	compiled, compared := map[string]bool{}, map[string]bool{}
	runs := false
	for _, f := range p.tests {
		if strings.HasPrefix(filepath.Base(p.fset.Position(f.Package).Filename), "example") {
			p.uses(f, compiled)
		}
	}
	for _, e := range doc.Examples(p.tests...) {
		if e.Output != "" || e.EmptyOutput {
			runs = true
			p.uses(e.Code, compared)
		}
	}
	exports := false
	var found []Finding
	for _, f := range p.files {
		for _, d := range f.Decls {
			exports = exports || exported(d)
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !fn.Name.IsExported() || isOption(fn) {
				continue
			}
			shown, how := compared, "no example whose output is compared shows"
			if slices.Contains(cannotRun, fn.Name.Name) {
				shown, how = compiled, "no example shows"
			}
			if !shown[fn.Name.Name] {
				position := p.fset.Position(fn.Pos())
				found = append(found, Finding{fmt.Sprintf("%s:%d", position.Filename, position.Line), how + " func " + fn.Name.Name})
			}
		}
	}
	if exports && !runs {
		found = append(found, Finding{p.Dir, "there is no example whose output is compared"})
	}
	return found
}

// uses adds the names of this package that code uses.
func (p *Package) uses(code ast.Node, names map[string]bool) {
	ast.Inspect(code, func(n ast.Node) bool {
		if use, ok := n.(*ast.SelectorExpr); ok {
			if from, ok := use.X.(*ast.Ident); ok && from.Name == p.Name {
				names[use.Sel.Name] = true
			}
		}
		return true
	})
}

func exported(d ast.Decl) bool {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Recv == nil && d.Name.IsExported()
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					return true
				}
			case *ast.ValueSpec:
				if slices.ContainsFunc(s.Names, (*ast.Ident).IsExported) {
					return true
				}
			}
		}
	}
	return false
}

// isOption tells whether a function makes an option for another one, as
// WithWorkers does: its comment shows it.
func isOption(f *ast.FuncDecl) bool {
	results := f.Type.Results
	if !strings.HasPrefix(f.Name.Name, "With") || results == nil || len(results.List) != 1 {
		return false
	}
	result, ok := results.List[0].Type.(*ast.Ident)
	return ok && strings.HasSuffix(result.Name, "Option")
}
