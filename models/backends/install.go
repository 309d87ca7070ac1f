package backends

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Install puts PJRT plugins where [Open] finds them, ~/.local/lib/go-xla, and returns what each says it is. A source is
//
//   - a library of any name that exports GetPjrtApi;
//   - a Python wheel that holds one, or NVIDIA's libraries, which a CUDA plugin needs;
//   - a folder of these, such as what `pip download` made, or Python's site-packages.
//
// Each plugin is loaded in a process of its own before it takes the place of one that is there. NVIDIA's libraries are
// copied from wheels and linked to from folders. Without a source, the plugins that fit this machine are downloaded by
// go-xla's own installer; nothing else here uses the network. A process that has opened XLA before keeps what it has.
func Install(ctx context.Context, sources ...string) ([]Plugin, error) {
	if !linked {
		return nil, errNoCgo
	}
	folder, err := installFolder()
	if err != nil {
		return nil, err
	}
	if len(sources) == 0 {
		return download(ctx, folder)
	}
	in := installation{folder: folder}
	for _, source := range sources {
		if err := in.add(source); err != nil {
			return nil, fmt.Errorf("install %s: %w", source, err)
		}
	}
	return in.finish(ctx, sources)
}

// download installs by go-xla's installer.
func download(ctx context.Context, folder string) ([]Plugin, error) {
	if err := downloadXLA(folder); err != nil {
		reason := strings.Join(strings.Fields(err.Error()), " ")
		return nil,
			fmt.Errorf("no PJRT plugin could be downloaded (%s): give the wheel of a Python package that holds one, or its "+
				"library, to `n2g backend install`, name it in %s, or use the backend go", reason, PluginPathVar)
	}
	var installed []Plugin
	for _, place := range []string{folder, filepath.Join(folder, "nvidia")} {
		for _, file := range candidates(place) {
			p, err := try(ctx, file)
			if err != nil {
				return installed, err
			}
			installed = append(installed, p)
			if err := writeNote(p); err != nil {
				return installed, fmt.Errorf("note what %s is: %w", file, err)
			}
		}
	}
	return installed, nil
}

// installation is what the sources of one Install hold.
type installation struct {
	folder    string
	libraries []member // what may be plugins
	nvidia    []nvidia // NVIDIA's libraries
}

// member is a file, of a wheel or by itself.
type member struct {
	source string // the wheel, or the file
	name   string // within the wheel; empty for a file
}

// nvidia is a tree of NVIDIA's libraries.
type nvidia struct {
	wheel  string // which holds nvidia/…, or
	folder string // a folder nvidia
}

// add looks for plugins and libraries in a source.
func (in *installation) add(source string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return in.addFile(source)
	}
	root, err := filepath.EvalSymlinks(source)
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if strings.Count(strings.TrimPrefix(file, root), string(filepath.Separator)) > 7 {
				return filepath.SkipDir
			}
			if entry.Name() == "nvidia" && file != root {
				in.nvidia = append(in.nvidia, nvidia{folder: file})
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(file, ".whl") || kindByName(file) != "" {
			return in.addFile(file)
		}
		// Other libraries of a folder are looked at only where they lie beside nothing that is named like a plugin.
		if filepath.Dir(file) == root && libraryFile(file) && checkLibrary(file) == nil {
			return in.addFile(file)
		}
		return nil
	})
}

// addFile adds a library or a wheel.
func (in *installation) addFile(file string) error {
	if !strings.HasSuffix(file, ".whl") && !strings.HasSuffix(file, ".zip") {
		in.libraries = append(in.libraries, member{source: file})
		return nil
	}
	z, err := zip.OpenReader(file)
	if err != nil {
		return fmt.Errorf("the wheel %s cannot be read: %w", file, err)
	}
	defer z.Close()
	found := false
	for _, f := range z.File {
		switch {
		case strings.HasPrefix(f.Name, "nvidia/"):
			if !found {
				in.nvidia = append(in.nvidia, nvidia{wheel: file})
			}
			found = true
		case libraryFile(f.Name):
			in.libraries = append(in.libraries, member{file, f.Name})
			found = true
		}
	}
	if !found {
		return fmt.Errorf("the wheel %s holds no library, so no PJRT plugin", file)
	}
	return nil
}

// finish puts what was found in place.
func (in *installation) finish(ctx context.Context, sources []string) ([]Plugin, error) {
	if err := os.MkdirAll(in.folder, 0o755); err != nil {
		return nil, fmt.Errorf("install a plugin: %w", err)
	}
	for _, n := range in.nvidia {
		if err := n.install(filepath.Join(in.folder, "nvidia")); err != nil {
			return nil, fmt.Errorf("install NVIDIA's libraries: %w", err)
		}
	}
	// What is named like a plugin comes first; where nothing is one, what is wrong with the first is said.
	slices.SortStableFunc(in.libraries, func(a, b member) int { return cmp.Compare(a.rank(), b.rank()) })
	var installed []Plugin
	var wrong error
	for _, m := range in.libraries {
		if slices.ContainsFunc(installed, func(p Plugin) bool { return p.Platform == kindByName(m.file()) }) {
			continue
		}
		p, err := m.install(ctx, in.folder)
		switch {
		case ctx.Err() != nil:
			return installed, ctx.Err()
		case err == nil:
			installed = append(installed, p)
		case wrong == nil:
			wrong = err
		}
	}
	switch {
	case len(installed) > 0 || len(in.libraries) == 0 && len(in.nvidia) > 0:
		return installed, nil
	case wrong != nil:
		return nil, wrong
	default:
		return nil, fmt.Errorf("no PJRT plugin lies in %s: a wheel or a library such as %s is looked for",
			strings.Join(sources, ", "), strings.Join(expectedNames("cpu"), ", "))
	}
}

// file is what the library is called.
func (m member) file() string { return cmp.Or(m.name, m.source) }

// rank orders libraries by how likely they are plugins.
func (m member) rank() int {
	if kindByName(m.file()) != "" {
		return 0
	}
	return 1
}

// install copies a library beside its future place, tries it there, and moves it into place.
func (m member) install(ctx context.Context, folder string) (Plugin, error) {
	temporary, err := os.MkdirTemp(folder, "new-")
	if err != nil {
		return Plugin{}, fmt.Errorf("install a plugin: %w", err)
	}
	defer os.RemoveAll(temporary)
	copied := filepath.Join(temporary, path.Base(filepath.ToSlash(m.file())))
	if err := m.copy(copied); err != nil {
		return Plugin{}, err
	}
	if err := checkLibrary(copied); err != nil {
		return Plugin{}, m.explain(err, copied)
	}
	p, err := try(ctx, copied)
	if err != nil {
		return Plugin{}, m.explain(err, copied)
	}
	place := folder
	if p.Platform == "cuda" {
		place = filepath.Join(folder, "nvidia") // whose parent holds what it looks for: its run path is $ORIGIN/../nvidia
	}
	if err := os.MkdirAll(place, 0o755); err != nil {
		return Plugin{}, fmt.Errorf("install a plugin: %w", err)
	}
	p.Path = filepath.Join(place, expectedNames(p.Platform)[0])
	if err := os.Rename(copied, p.Path); err != nil {
		return Plugin{}, fmt.Errorf("install a plugin: %w", err)
	}
	if err := writeNote(p); err != nil {
		return Plugin{}, fmt.Errorf("note what %s is: %w", p.Path, err)
	}
	return p, nil
}

// explain lets an error about a copy speak of where it comes from.
func (m member) explain(err error, copied string) error {
	from := m.source
	if m.name != "" {
		from = m.name + " in " + m.source
	}
	return errors.New(strings.ReplaceAll(err.Error(), copied, from))
}

// copy writes the library to a file.
func (m member) copy(to string) error {
	if m.name == "" {
		from, err := os.Open(m.source)
		if err != nil {
			return err
		}
		defer from.Close()
		return writeFile(to, from)
	}
	z, err := zip.OpenReader(m.source)
	if err != nil {
		return err
	}
	defer z.Close()
	from, err := z.Open(m.name)
	if err != nil {
		return fmt.Errorf("read %s in %s: %w", m.name, m.source, err)
	}
	defer from.Close()
	if err := writeFile(to, from); err != nil {
		return fmt.Errorf("unpack %s of %s: %w", m.name, m.source, err)
	}
	return nil
}

// writeFile writes what a reader gives to a new file.
func writeFile(to string, from io.Reader) error {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

// install puts NVIDIA's libraries below a folder: those of a wheel as files, those of a folder as links.
func (n nvidia) install(to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if n.folder != "" {
		entries, err := os.ReadDir(n.folder)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			link := filepath.Join(to, entry.Name())
			if !entry.IsDir() || kindByName(entry.Name()) != "" {
				continue
			}
			if err := os.RemoveAll(link); err != nil {
				return err
			}
			if err := os.Symlink(filepath.Join(n.folder, entry.Name()), link); err != nil {
				return err
			}
		}
		return nil
	}
	z, err := zip.OpenReader(n.wheel)
	if err != nil {
		return err
	}
	defer z.Close()
	for _, f := range z.File {
		name, inside := strings.CutPrefix(f.Name, "nvidia/")
		if !inside || strings.HasSuffix(name, "/") || !filepath.IsLocal(filepath.FromSlash(name)) {
			continue
		}
		file := filepath.Join(to, filepath.FromSlash(name))
		// A link from an earlier folder is replaced, so that nothing is written into that folder.
		top, _, _ := strings.Cut(name, "/")
		if info, err := os.Lstat(filepath.Join(to, top)); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			if err := os.Remove(filepath.Join(to, top)); err != nil {
				return err
			}
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		from, err := f.Open()
		if err != nil {
			return fmt.Errorf("unpack %s of %s: %w", f.Name, n.wheel, err)
		}
		err = writeFile(file, from)
		from.Close()
		if err != nil {
			return fmt.Errorf("unpack %s of %s: %w", f.Name, n.wheel, err)
		}
	}
	return nil
}
