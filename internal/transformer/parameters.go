package transformer

// Parameters lists the parameters of the model, embedding first, in TransformerLens's shapes: what a file of that
// layout holds, and what training has to create. Families other than TransformerLens's own lack some of the biases.
func (c Decoder) Parameters() []Param {
	list := []Param{{"embed.W_E", []int{c.DVocab, c.DModel}}}
	if c.RotaryDims == 0 {
		list = append(list, Param{"pos_embed.W_pos", []int{c.PositionOffset + c.Positions, c.DModel}})
	}
	for layer := range c.Layers {
		list = append(list, c.blockParameters(layer)...)
	}
	list = append(list, c.normParameters("ln_final", c.DModel)...)
	return append(list,
		Param{"unembed.W_U", []int{c.DModel, c.DVocab}},
		Param{"unembed.b_U", []int{c.DVocab}})
}

// blockParameters lists those of one layer.
func (c Decoder) blockParameters(layer int) []Param {
	at := func(name string, shape ...int) Param { return Param{BlockName(layer, name), shape} }
	list := c.normParameters(BlockName(layer, "ln1"), c.DModel)
	for _, projection := range []struct {
		name  string
		heads int
	}{{"Q", c.Heads}, {"K", c.KeyHeads()}, {"V", c.KeyHeads()}} {
		list = append(list,
			at("attn.W_"+projection.name, projection.heads, c.DModel, c.DHead),
			at("attn.b_"+projection.name, projection.heads, c.DHead))
	}
	list = append(list, at("attn.W_O", c.Heads, c.DHead, c.DModel), at("attn.b_O", c.DModel))
	list = append(list, c.normParameters(BlockName(layer, "ln2"), c.DModel)...)
	list = append(list, at("mlp.W_in", c.DModel, c.DMLP), at("mlp.b_in", c.DMLP))
	if c.Gated {
		list = append(list, at("mlp.W_gate", c.DModel, c.DMLP), at("mlp.b_gate", c.DMLP))
	}
	if c.NormalizedMLP() {
		list = append(list, c.normParameters(BlockName(layer, "mlp.ln"), c.DMLP)...)
	}
	return append(list, at("mlp.W_out", c.DMLP, c.DModel), at("mlp.b_out", c.DModel))
}

// normParameters lists weight and bias of a norm; RMSNorm has no bias.
func (c Decoder) normParameters(name string, width int) []Param {
	list := []Param{{name + ".w", []int{width}}}
	if !c.RMSNorm {
		list = append(list, Param{name + ".b", []int{width}})
	}
	return list
}
