package backends

import (
	"fmt"
	"strings"
)

// Install downloads the PJRT plugins that fit this machine, for its CPU and, if it has an NVIDIA GPU, for CUDA, by
// go-xla's own installer, and returns the folder they lie in. What is there already is kept. It is the only function
// here that uses the network; a process that has opened XLA before does not see the new plugins.
func Install() (folder string, err error) {
	if folder, err = installXLA(); err != nil {
		reason := strings.Join(strings.Fields(err.Error()), " ")
		return "", fmt.Errorf("no PJRT plugin could be installed (%s): download one where there is a network and name its folder in PJRT_PLUGIN_LIBRARY_PATH, or use the backend go", reason)
	}
	return folder, nil
}
