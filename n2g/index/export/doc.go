// Package export writes what an activation index holds for other programs: windows and activations as JSON Lines or
// Parquet, which pandas and DuckDB read, and the folders of Neuronpedia's bulk import.
//
// docs/mining.md lists the columns and fields. What lies below a neuron's keep level is in no posting: rows of
// activations leave it out, and Neuronpedia's values have 0 there.
package export
