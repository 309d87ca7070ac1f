package registry

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// repoName is a part of a repository's name on the hub; a whole name is owner/name.
var repoName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$`)

// revisionName is a branch, tag or commit.
var revisionName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$`)

// Lookup finds the model that ref names: one of TransformerLens's names, in upper or lower case, or a repository on the
// Hugging Face hub (owner/name), in the table or not. A revision may follow behind an @: pythia-70m@step3000.
func Lookup(ref string) (Model, error) {
	name, revision, revised := strings.Cut(ref, "@")
	if revised && (!revisionName.MatchString(revision) || strings.Contains(revision, "..")) {
		return Model{},
			fmt.Errorf("%q is no revision: behind the @ of a model stands a branch, tag or commit, as in pythia-70m@step3000",
				revision)
	}
	m, err := find(name)
	m.Revision = revision
	return m, err
}

func find(name string) (Model, error) {
	if i, ok := index()[strings.ToLower(name)]; ok {
		m := table()[i]
		m.Aliases, m.Former = slices.Clone(m.Aliases), slices.Clone(m.Former)
		return m, nil
	}
	if reason := refused(name); reason != "" || IsRepo(name) {
		return Model{Name: name, Repo: name, Refused: reason}, nil
	}
	if similar := Similar(name); len(similar) > 0 {
		return Model{}, fmt.Errorf("there is no model %q: did you mean %s?", name, strings.Join(similar, ", "))
	}
	return Model{},
		fmt.Errorf("there is no model %q: name one that `n2g models` lists, a repository (owner/name) or a folder", name)
}

// IsRepo says whether name has the form of a repository on the hub, owner/name.
func IsRepo(name string) bool {
	owner, rest, ok := strings.Cut(name, "/")
	return ok && isPart(owner) && isPart(rest)
}

// isPart leaves out what the hub leaves out too: such names would not fit its own cache's folders.
func isPart(s string) bool {
	return repoName.MatchString(s) && !strings.Contains(s, "--") && !strings.Contains(s, "..") &&
		!strings.HasSuffix(s, ".git")
}

// Similar lists up to three names of the table that come close to a mistyped one, the closest first.
func Similar(name string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	lower := strings.ToLower(name)
	most := min(3, len(name)/3)
	for _, m := range table() {
		for _, known := range append([]string{m.Name}, m.Aliases...) {
			if d := distance(lower, strings.ToLower(known), most); d <= most {
				near = append(near, candidate{known, d})
			}
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var names []string
	for _, c := range near[:min(3, len(near))] {
		names = append(names, c.name)
	}
	return names
}

// distance is how many letters of a must be changed, left out or put in to make b, or more than most if it is more.
func distance(a, b string, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
