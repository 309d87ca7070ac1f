// Command exports lists every exported name of the packages that docs/api.md promises, with who uses it outside of its
// package: other packages, commands, notebooks, examples. It writes docs/exports.md, and fails where a name has no user
// and stands not in the list of those that are for callers. With -check it writes nothing, and says where the page is
// not of today's code.
//
//	go run ./exports [-check] FOLDER
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/types"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	check := flag.Bool("check", false, "write nothing")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: exports [-check] FOLDER")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *check, allowed); err != nil {
		fmt.Fprintln(os.Stderr, "exports:", err)
		os.Exit(1)
	}
}

func run(folder string, check bool, allowed map[string]string) error {
	promised, err := promisedPackages(filepath.Join(folder, "docs", "api.md"))
	if err != nil {
		return err
	}
	loaded, err := packages.Load(&packages.Config{
		Dir: folder, Tests: true, Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes |
			packages.NeedTypesInfo | packages.NeedImports | packages.NeedModule,
	}, "./...")
	if err != nil {
		return err
	}
	if packages.PrintErrors(loaded) > 0 {
		return fmt.Errorf("%s does not compile", folder)
	}
	t := newTable(loaded, promised, allowed)
	t.uses(loaded)
	t.implementations(loaded)
	notebooks, err := filepath.Glob(filepath.Join(folder, "notebooks", "*.ipynb"))
	if err != nil {
		return err
	}
	for _, notebook := range notebooks {
		source, err := cells(notebook)
		if err != nil {
			return err
		}
		t.notebook(strings.TrimSuffix(filepath.Base(notebook), ".ipynb"), source)
	}
	t.signatures()
	text, faults, notes := t.text()
	for _, line := range slices.Concat(notes, faults) {
		fmt.Fprintln(os.Stderr, line)
	}
	if len(faults) > 0 {
		return fmt.Errorf("%d names have no user", len(faults))
	}
	file := filepath.Join(folder, "docs", "exports.md")
	if !check {
		return os.WriteFile(file, text, 0o644)
	}
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, text) {
		fmt.Printf("%s is not of today's code: make exports writes it\n", file)
	}
	return nil
}

// promisedPackages are those named in the first column of the page's table.
func promisedPackages(page string) ([]string, error) {
	text, err := os.ReadFile(page)
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, name := range regexp.MustCompile("`([a-z0-9/]+)`").FindAllStringSubmatch(cells[1], -1) {
				list = append(list, name[1])
			}
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s names no package", page)
	}
	return list, nil
}

// name is an exported name of a promised package.
type name struct {
	of     string // package, within the module
	name   string // Type, Func or Type.Method
	object types.Object
	users  map[string]bool
}

// table is all of them, by full name.
type table struct {
	module  string
	order   []string // of packages
	names   map[string]*name
	allowed map[string]string // those for callers, by package within the module and name, and why
}

func newTable(loaded []*packages.Package, promised []string, allowed map[string]string) *table {
	t := &table{module: loaded[0].Module.Path, order: promised, names: map[string]*name{}, allowed: allowed}
	for _, p := range loaded {
		within := strings.TrimPrefix(p.PkgPath, t.module+"/")
		if !slices.Contains(promised, within) || strings.Contains(p.ID, " ") { // a space: built anew for a test
			continue
		}
		scope := p.Types.Scope()
		for _, n := range scope.Names() {
			object := scope.Lookup(n)
			if !object.Exported() {
				continue
			}
			t.add(within, n, object)
			if named, ok := object.Type().(*types.Named); ok {
				if _, isType := object.(*types.TypeName); isType {
					for i := range named.NumMethods() {
						if m := named.Method(i); m.Exported() {
							t.add(within, n+"."+m.Name(), m)
						}
					}
				}
			}
		}
	}
	return t
}

func (t *table) add(of, n string, object types.Object) {
	t.names[t.module+"/"+of+"."+n] = &name{of: of, name: n, object: object, users: map[string]bool{}}
}

// fullName is a package's name or method as names are keyed; empty for what is neither.
func fullName(object types.Object) string {
	if object.Pkg() == nil || !object.Exported() {
		return ""
	}
	if f, ok := object.(*types.Func); ok {
		f = f.Origin()
		if receiver := f.Signature().Recv(); receiver != nil {
			named := namedOf(receiver.Type())
			if named == nil {
				return ""
			}
			return object.Pkg().Path() + "." + named.Obj().Name() + "." + f.Name()
		}
	} else if object.Parent() != object.Pkg().Scope() {
		return ""
	}
	return object.Pkg().Path() + "." + object.Name()
}

func namedOf(t types.Type) *types.Named {
	if pointer, ok := t.(*types.Pointer); ok {
		t = pointer.Elem()
	}
	named, _ := t.(*types.Named)
	return named
}

// uses finds who names what.
func (t *table) uses(loaded []*packages.Package) {
	for _, p := range loaded {
		user := strings.TrimPrefix(strings.TrimSuffix(p.PkgPath, "_test"), t.module+"/")
		for _, file := range p.Syntax {
			inTest := strings.HasSuffix(p.Fset.Position(file.Pos()).Filename, "_test.go")
			for _, d := range file.Decls {
				who := user
				if inTest {
					who = "tests of " + user
					if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Example") {
						who = "examples of " + user
					}
				}
				ast.Inspect(d, func(n ast.Node) bool {
					id, ok := n.(*ast.Ident)
					if !ok || p.TypesInfo.Uses[id] == nil {
						return true
					}
					used := t.names[fullName(p.TypesInfo.Uses[id])]
					if used == nil || used.of == user && !strings.HasPrefix(who, "examples") {
						return true
					}
					used.users[who] = true
					return true
				})
			}
		}
	}
}

// implementations finds methods that interfaces of the module, or of common packages, ask for.
func (t *table) implementations(loaded []*packages.Package) {
	interfaces := map[string]*types.Interface{
		"error": types.Universe.Lookup("error").Type().Underlying().(*types.Interface),
	}
	add := func(p *types.Package) {
		for _, n := range p.Scope().Names() {
			if of, ok := p.Scope().Lookup(n).(*types.TypeName); ok && types.IsInterface(of.Type()) {
				if i := of.Type().Underlying().(*types.Interface); i.NumMethods() > 0 && i.IsMethodSet() {
					interfaces[strings.TrimPrefix(p.Path(), t.module+"/")+"."+n] = i
				}
			}
		}
	}
	seen := map[string]bool{}
	for _, p := range loaded {
		for _, imported := range append(p.Types.Imports(), p.Types) {
			if pkg := imported.Path(); !seen[pkg] && (strings.HasPrefix(pkg, t.module+"/") && !strings.Contains(p.ID, " ") ||
				slices.Contains([]string{"fmt", "encoding", "encoding/json", "io", "flag", "sort"}, pkg)) {
				seen[pkg] = true
				add(imported)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(interfaces)) {
		i := interfaces[key]
		for m := range i.Methods() {
			for _, n := range t.names {
				f, ok := n.object.(*types.Func)
				if !ok || f.Name() != m.Name() || f.Signature().Recv() == nil || len(n.users) > 0 {
					continue
				}
				receiver := namedOf(f.Signature().Recv().Type())
				if receiver != nil && (satisfies(receiver, i) || satisfies(types.NewPointer(receiver), i)) {
					n.users["the interface "+key] = true
				}
			}
		}
	}
}

// satisfies compares method sets by name and by how their types are written: packages that were loaded one by one have
// types of their own.
func satisfies(t types.Type, i *types.Interface) bool {
	set := types.NewMethodSet(t)
	for m := range i.Methods() {
		found := false
		for s := range set.Methods() {
			if s.Obj().Name() == m.Name() {
				found = types.TypeString(s.Type(), nil) == types.TypeString(m.Type(), nil)
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// cells are a notebook's cells of code.
func cells(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var notebook struct {
		Cells []struct {
			Type   string   `json:"cell_type"`
			Source []string `json:"source"`
		} `json:"cells"`
	}
	if err := json.Unmarshal(text, &notebook); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	var code strings.Builder
	for _, cell := range notebook.Cells {
		if cell.Type == "code" {
			code.WriteString(strings.Join(cell.Source, "") + "\n")
		}
	}
	return code.String(), nil
}

var (
	selector = regexp.MustCompile(`\b([a-z]\w*)\.([A-Z]\w*)`)
	method   = regexp.MustCompile(`\.([A-Z]\w*)\(`)
)

// notebook finds the names that a notebook's code has, by their spelling: its cells are not compiled here.
func (t *table) notebook(title, code string) {
	qualified, called := map[string]bool{}, map[string]bool{}
	for _, m := range selector.FindAllStringSubmatch(code, -1) {
		qualified[m[1]+"."+m[2]] = true
	}
	for _, m := range method.FindAllStringSubmatch(code, -1) {
		called[m[1]] = true
	}
	for _, n := range t.names {
		_, isMethod := strings.CutPrefix(n.name, strings.Split(n.name, ".")[0]+".")
		found := qualified[path.Base(n.of)+"."+n.name]
		if isMethod {
			found = called[path.Ext(n.name)[1:]] && len(n.users) == 0
		}
		if found {
			n.users["notebook "+title] = true
		}
	}
}

// signatures gives types that nobody names the users of what has them, since a result is used without its type's name,
// and constants of a type those of the type, whose values they are.
func (t *table) signatures() {
	for changed := true; changed; {
		changed = false
		for _, key := range slices.Sorted(maps.Keys(t.names)) {
			n := t.names[key]
			if len(n.users) == 0 && t.allowed[n.of+"."+n.name] == "" {
				continue
			}
			visit(n.object, func(of *types.TypeName) {
				if has := t.names[fullName(of)]; has != nil && len(has.users) == 0 && has != n {
					has.users["`"+shortName(n)+"`"] = true
					changed = true
				}
			})
		}
	}
	for _, n := range t.names {
		if of := namedOf(n.object.Type()); of != nil && len(n.users) == 0 {
			_, constant := n.object.(*types.Const)
			if has := t.names[fullName(of.Obj())]; constant && has != nil && len(has.users) > 0 {
				n.users["`"+shortName(has)+"`"] = true
			}
		}
	}
}

func shortName(n *name) string { return path.Base(n.of) + "." + n.name }

// visit tells the named types of a signature, of a struct's exported fields, of a variable.
func visit(object types.Object, tell func(*types.TypeName)) {
	seen := map[types.Type]bool{}
	var walk func(t types.Type, top bool)
	walk = func(t types.Type, top bool) {
		if seen[t] {
			return
		}
		seen[t] = true
		switch t := t.(type) {
		case *types.Named:
			if !top {
				tell(t.Obj())
				for a := range t.TypeArgs().Types() {
					walk(a, false)
				}
				return
			}
			walk(t.Underlying(), false)
		case *types.Alias:
			walk(types.Unalias(t), false)
		case *types.Struct:
			for f := range t.Fields() {
				if f.Exported() {
					walk(f.Type(), false)
				}
			}
		case *types.Interface:
			for m := range t.Methods() {
				walk(m.Type(), false)
			}
		case *types.Signature:
			for v := range t.Params().Variables() {
				walk(v.Type(), false)
			}
			for v := range t.Results().Variables() {
				walk(v.Type(), false)
			}
		case *types.Map:
			walk(t.Key(), false)
			walk(t.Elem(), false)
		case interface{ Elem() types.Type }: // slices, arrays, pointers, channels
			walk(t.Elem(), false)
		}
	}
	_, isType := object.(*types.TypeName)
	walk(object.Type(), isType)
}

// text is the page, what is wrong, and which reasons are given for nothing.
func (t *table) text() (text []byte, faults, notes []string) {
	var page bytes.Buffer
	page.WriteString(`# Who uses what is exported

Every exported name of the packages that [api.md](api.md) promises, fields of structs left out, and who uses it outside
of its own package and its tests. Written by ` + "`make exports`; `make vet`" + ` fails where a name has no user and stands not among
those that are for callers (tools/exports/callers.go), whose reason stands here instead. Of a type that is never named outside, and of constants, what they belong to is said.
`)
	byPackage := map[string][]*name{}
	for _, n := range t.names {
		byPackage[n.of] = append(byPackage[n.of], n)
	}
	for _, of := range t.order {
		names := byPackage[of]
		slices.SortFunc(names, func(a, b *name) int { return cmp.Compare(a.name, b.name) })
		fmt.Fprintf(&page, "\n## %s\n\n| name | used by |\n|---|---|\n", of)
		for _, n := range names {
			users, reason := inShort(n.users), t.allowed[of+"."+n.name]
			switch {
			case users == "" && reason == "":
				faults = append(faults, of+"."+n.name+" is used by nobody: unexport it, or say in callers.go why it is for callers")
			case users != "" && reason != "":
				notes = append(notes, of+"."+n.name+" has users ("+users+"): it need not stand in callers.go")
			}
			fmt.Fprintf(&page, "| `%s` | %s |\n", n.name, cmp.Or(users, "callers: "+reason))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t.allowed)) {
		if t.names[t.module+"/"+key] == nil {
			notes = append(notes, key+" is not exported: it need not stand in callers.go")
		}
	}
	return page.Bytes(), faults, notes
}

// inShort names few of many users: packages before examples, tests last and only where nobody else is.
func inShort(users map[string]bool) string {
	rank := func(user string) int {
		for i, kind := range []string{"tests of ", "the interface ", "`", "examples of ", "notebook "} {
			if strings.HasPrefix(user, kind) {
				return 5 - i
			}
		}
		return 0
	}
	list := slices.SortedFunc(maps.Keys(users), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
	})
	if i := slices.IndexFunc(list, func(u string) bool { return rank(u) == 5 }); i > 0 {
		list = list[:i]
	}
	const most = 4
	if more := len(list) - most; more > 1 {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(list, ", ")
}
