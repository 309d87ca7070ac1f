package corpus

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// ActivationMatrix holds the highest activation of every neuron: [layer][neuron], as the published program keeps it in
// activation_matrix.json.
type ActivationMatrix [][]float64

// ReadActivationMatrix reads the JSON of an ActivationMatrix.
func ReadActivationMatrix(r io.Reader) (ActivationMatrix, error) {
	var m ActivationMatrix
	if err := json.NewDecoder(r).Decode(&m); err != nil {
		return nil,
			fmt.Errorf(
				"corpus: no matrix of activations, which is a JSON list of layers, each a list of its neurons' maxima: %w", err)
	}
	if len(m) == 0 {
		return nil, fmt.Errorf("corpus: the matrix of activations has no layers")
	}
	return m, nil
}

// Max is the highest activation of a neuron.
func (m ActivationMatrix) Max(layer, neuron int) (float64, error) {
	if layer < 0 || layer >= len(m) {
		return 0, fmt.Errorf("corpus: the matrix of activations has no layer %d, only 0 to %d", layer, len(m)-1)
	}
	if neuron < 0 || neuron >= len(m[layer]) {
		return 0, fmt.Errorf("corpus: the matrix of activations has no neuron %d in layer %d, only 0 to %d", neuron, layer,
			len(m[layer])-1)
	}
	highest := m[layer][neuron]
	if math.IsNaN(highest) || highest <= 0 {
		return 0,
			fmt.Errorf("corpus: the matrix of activations has %g as the highest of layer %d neuron %d, so that nothing "+
				"excites it", highest, layer, neuron)
	}
	return highest, nil
}
