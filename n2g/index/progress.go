package index

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g/internal/lock"
)

// Progress looks at the work in a folder from outside, while it goes on or after it was stopped: how many windows of
// how many are kept, and whether a process is at it now. of is 0 where there is no work, or its corpus is still being
// written. What was found since the last part was kept is not seen.
func Progress(out, folder string) (done, of int, running bool) {
	running = lock.Held(out)
	corpus, err := openAny(filepath.Join(folder, corpusFile))
	if err != nil {
		return 0, 0, running
	}
	of = corpus.meta.Windows
	corpus.Close() // it is only read
	entries, err := os.ReadDir(folder)
	if err != nil {
		return 0, of, running
	}
	covered := make([]bool, of)
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, partPrefix) || strings.HasSuffix(name, unfinished) {
			continue
		}
		part, err := openAny(filepath.Join(folder, name))
		if err != nil {
			continue // it was joined with others meanwhile
		}
		for _, r := range part.meta.Covered {
			for i := max(0, r[0]); i < min(r[1], of); i++ {
				if !covered[i] {
					covered[i] = true
					done++
				}
			}
		}
		part.Close() // it is only read
	}
	return done, of, running
}
