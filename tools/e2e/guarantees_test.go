package e2e

import (
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// The items of the list under "# Guarantees" in a package's documentation are
// promises. The doc comment of each test that proves one quotes it, in a paragraph
// that begins with "Guarantee:".
func TestGuaranteesAreQuoted(t *testing.T) {
	differences, err := compareGuarantees(os.DirFS(testenv.Workspace(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		t.Error(d)
	}
}

// A guarantee is the text of a promise or of its quotation, on one line, and where
// it stands: file:line.
type guarantee struct{ text, at string }

// compareGuarantees returns a message for each promise in the Go files of tree that
// no test quotes, and for each quotation of no promise.
func compareGuarantees(tree fs.FS) (differences []string, err error) {
	var promised, quoted []guarantee
	err = fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := entry.Name(); entry.IsDir() && name != "." && (base[0] == '.' || base == "testdata" || base == "node_modules") {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if !strings.HasSuffix(name, "_test.go") {
			promised = append(promised, promises(files, file.Doc)...)
			return nil
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				quoted = append(quoted, quotations(files, f.Doc)...)
			}
		}
		return nil
	})
	missing := func(of, in []guarantee, format string) {
		for _, g := range of {
			if !slices.ContainsFunc(in, func(other guarantee) bool { return other.text == g.text }) {
				differences = append(differences, fmt.Sprintf("%s: "+format, g.at, g.text)+nearest(g.text, in))
			}
		}
	}
	missing(promised, quoted, "no test quotes the guarantee %q")
	missing(quoted, promised, "no package's documentation has the quoted guarantee %q")
	return differences, err
}

// promises returns the items of the lists under "# Guarantees".
func promises(files *token.FileSet, doc *ast.CommentGroup) (found []guarantee) {
	under := false
	for _, block := range new(comment.Parser).Parse(doc.Text()).Content {
		switch block := block.(type) {
		case *comment.Heading:
			under = oneLine(&comment.Paragraph{Text: block.Text}) == "Guarantees"
		case *comment.List:
			for _, item := range block.Items {
				if under {
					text := oneLine(item.Content...)
					found = append(found, guarantee{text, position(files, doc, text)})
				}
			}
		}
	}
	return found
}

// quotations returns the paragraphs that begin with "Guarantee:", without that.
func quotations(files *token.FileSet, doc *ast.CommentGroup) (found []guarantee) {
	for _, block := range new(comment.Parser).Parse(doc.Text()).Content {
		if text, ok := strings.CutPrefix(oneLine(block), "Guarantee: "); ok {
			found = append(found, guarantee{text, position(files, doc, text)})
		}
	}
	return found
}

func oneLine(blocks ...comment.Block) string {
	text := new(comment.Printer).Text(&comment.Doc{Content: blocks})
	return strings.Join(strings.Fields(string(text)), " ")
}

// position returns the place of the comment's line with which text begins, or else
// that of the comment.
func position(files *token.FileSet, doc *ast.CommentGroup, text string) string {
	at := doc.Pos()
	for _, line := range slices.Backward(doc.List) {
		begin := strings.Join(strings.Fields(strings.TrimPrefix(line.Text, "//")), " ")
		begin = strings.TrimPrefix(strings.TrimPrefix(begin, "- "), "Guarantee: ")
		if begin != "" && strings.HasPrefix(text, begin) {
			at = line.Pos()
		}
	}
	p := files.Position(at)
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// nearest says which text is nearly the same, if one is: one that differs in a
// quarter of its words at most.
func nearest(text string, others []guarantee) string {
	words := strings.Fields(text)
	least, message := 1+max(2, len(words)/4), ""
	for _, other := range others {
		if d := wordDistance(words, strings.Fields(other.text)); d < least {
			least, message = d, fmt.Sprintf("; nearly the same: %s: %q", other.at, other.text)
		}
	}
	return message
}

// wordDistance returns the number of words to insert, delete or replace to make b of a.
func wordDistance(a, b []string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0]++
		for j := range b {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func TestCompareGuarantees(t *testing.T) {
	const promise = `// Package p is an example.
//
// # Guarantees
//
// Those of q hold. Besides:
//
//   - Nothing is lost,
//     whatever happens.
//   - Files
//     stay.
//
// # Concurrency
//
//   - None.
package p
`
	const (
		quoteNothing = "package p\n\n// TestA kills it.\n//\n// Guarantee: Nothing is lost, whatever\n// happens.\nfunc TestA() {}\n"
		quoteFiles   = "package p\n\n// Guarantee: Files stay.\nfunc FuzzB() {}\n"
	)
	for name, tt := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"all are quoted, wrapped as they may be": {
			files: map[string]string{"p/doc.go": promise, "p/a_test.go": quoteNothing, "e2e/b_test.go": quoteFiles},
		},
		"one twice": {
			files: map[string]string{"doc.go": promise, "a_test.go": quoteNothing, "b_test.go": quoteFiles, "c_test.go": quoteFiles},
		},
		"one is not quoted": {
			files: map[string]string{"p/doc.go": promise, "p/a_test.go": quoteNothing},
			want:  []string{`p/doc.go:9: no test quotes the guarantee "Files stay."`},
		},
		"a quotation of none": {
			files: map[string]string{"a_test.go": quoteFiles},
			want:  []string{`a_test.go:3: no package's documentation has the quoted guarantee "Files stay."`},
		},
		"a few words differ": {
			files: map[string]string{"doc.go": promise, "a_test.go": strings.Replace(quoteNothing, "whatever", "however it", 1), "b_test.go": quoteFiles},
			want: []string{
				`doc.go:7: no test quotes the guarantee "Nothing is lost, whatever happens."; nearly the same: a_test.go:5: "Nothing is lost, however it happens."`,
				`a_test.go:5: no package's documentation has the quoted guarantee "Nothing is lost, however it happens."; nearly the same: doc.go:7: "Nothing is lost, whatever happens."`,
			},
		},
		"a quotation in another paragraph is none": {
			files: map[string]string{"doc.go": promise, "a_test.go": quoteNothing, "b_test.go": strings.Replace(quoteFiles, "// ", "// TestB kills it.\n// ", 1)},
			want:  []string{`doc.go:9: no test quotes the guarantee "Files stay."`},
		},
		"no file of this project": {
			files: map[string]string{"testdata/doc.go": promise, ".git/doc.go": promise, "doc.txt": promise},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tree := make(fstest.MapFS)
			for name, text := range tt.files {
				tree[name] = &fstest.MapFile{Data: []byte(text)}
			}
			got, err := compareGuarantees(tree)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("error %v, differences:\n%s\nwant:\n%s", err, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}
