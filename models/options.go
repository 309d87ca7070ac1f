package models

// Options says how a model is opened. The zero value is what a user gets who asks for nothing.
type Options struct {
	// Backend is what the model runs on: auto, go, xla:cpu or xla:cuda (package backends). Empty is the environment
	// variable N2G_BACKEND, and auto where that is empty too.
	Backend string
	// SAE is a sparse auto-encoder or transcoder of the model, as [OpenSAE] takes it, whose features are read at hook
	// points that end in [sae]; empty for none.
	SAE string
	// Directions are vectors, or a file of them ([ReadDirections]), that hook points which end in [dir] are multiplied by;
	// empty for none.
	Directions string
}
