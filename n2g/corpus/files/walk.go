package files

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
)

// Why files are left out.
const (
	reasonHidden  = "hidden"
	reasonLink    = "links, which are followed in folders only"
	reasonBroken  = "links to nothing"
	reasonTwice   = "links to what is read elsewhere in the corpus"
	reasonSpecial = "pipes, devices or sockets"
	reasonCard    = "about the data set, not part of it"
	reasonEmpty   = "empty"
	reasonNotText = "not UTF-8 text"
	reasonRest    = "not UTF-8 text from somewhere on"
	reasonNotJSON = "not well-formed JSON, though named so"
)

// folder streams what lies below a folder, in lexical order of paths. real is the folder's path without links, or
// empty.
//
// Each folder is entered once, whatever links lead to it, so that links can make no circle. A link to what lies in the
// corpus anyway is left out.
func (p *pass) folder(name, real string) bool {
	p.folders[real] = true
	entries, err := fs.ReadDir(p.fsys, name)
	if err != nil {
		return p.fail(fmt.Errorf("corpus: %w", err))
	}
	for _, entry := range entries {
		child, realChild := path.Join(name, entry.Name()), ""
		if real != "" {
			realChild = filepath.Join(real, entry.Name())
		}
		mode := entry.Type()
		switch {
		case hidden(entry.Name()):
			p.tally.leave(reasonHidden, child)
			continue
		case mode&fs.ModeSymlink != 0:
			if mode, realChild = p.follow(child, realChild); realChild == "" {
				continue
			}
		case p.linked[realChild], mode.IsDir() && realChild != "" && p.folders[realChild]:
			p.tally.leave(reasonTwice, child)
			continue
		}
		goesOn := true
		switch {
		case mode.IsDir():
			goesOn = p.folder(child, realChild)
		case !mode.IsRegular():
			p.tally.leave(reasonSpecial, child)
		case p.isCard(entry.Name()):
			p.tally.leave(reasonCard, child)
		default:
			goesOn = p.file(child)
		}
		if !goesOn {
			return false
		}
	}
	return true
}

// follow is where a link leads: the mode of what lies there and its path without links, which is empty if it is left
// out.
func (p *pass) follow(name, link string) (fs.FileMode, string) {
	if link == "" {
		p.tally.leave(reasonLink, name)
		return 0, ""
	}
	target, err := filepath.EvalSymlinks(link)
	info, statErr := fs.Stat(p.fsys, name)
	if err != nil || statErr != nil {
		p.tally.leave(reasonBroken, name)
		return 0, ""
	}
	if p.inCorpus(target) || p.linked[target] || p.folders[target] || p.folders[filepath.Dir(target)] {
		p.tally.leave(reasonTwice, name)
		return 0, ""
	}
	if !info.IsDir() {
		p.linked[target] = true
	}
	return info.Mode().Type(), target
}

// inCorpus says whether a path without links is one that the walk itself comes to.
func (p *pass) inCorpus(target string) bool {
	below, err := filepath.Rel(p.root, target)
	if err != nil || below == ".." || strings.HasPrefix(below, ".."+string(filepath.Separator)) {
		return false
	}
	for part := range strings.SplitSeq(below, string(filepath.Separator)) {
		if part != "." && hidden(part) {
			return false
		}
	}
	return true
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// special names what is no regular file.
func special(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// isCard says whether a file tells about a data set: its README or licence, where there are files of records.
func (p *pass) isCard(name string) bool {
	switch base, _, _ := strings.Cut(strings.ToUpper(name), "."); base {
	case "README", "LICENSE", "LICENCE":
		return p.holdsRecords()
	}
	return false
}

// holdsRecords says whether the corpus has files of records, by their names.
func (p *pass) holdsRecords() bool {
	if p.tally.holdsRecords == nil {
		found := false
		fs.WalkDir(p.fsys, ".", func(name string, entry fs.DirEntry, err error) error { // none is returned
			if err != nil || found {
				return fs.SkipAll
			}
			if name != "." && hidden(entry.Name()) {
				if entry.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			inner, packed := unpackedName(entry.Name())
			switch extension(inner) {
			case ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".arrow", ".feather":
				found = !entry.IsDir()
			case ".json":
				found = !entry.IsDir() && packed
			}
			return nil
		})
		p.tally.holdsRecords = &found
	}
	return *p.tally.holdsRecords
}
