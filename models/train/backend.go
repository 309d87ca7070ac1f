package train

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/neuron2graph/neuron2graph/models/backends"
)

// open is the backend that the schedule names. The pure Go one runs the operations of a program one after the other: two
// programs at a time use both cores as well, and its parallel order hangs (compute v0.1.2) where more matrix products
// are ready at a time than it has workers, as in the optimizer.
func (s schedule) open() (compute.Backend, error) {
	backend, info, err := backends.Open(s.backend)
	if err != nil {
		return nil, err
	}
	if info.Name != backends.Go {
		return backend, nil
	}
	if backend, err = compute.NewWithConfig("go:ops_sequential"); err != nil {
		return nil, fmt.Errorf("opening the go backend: %w", err)
	}
	return backend, nil
}
