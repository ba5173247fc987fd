package ansi

// palette is the sixteen colours as xterm shows them; it is used to find the
// nearest one, not for display.
var palette = [16][3]int{
	{0, 0, 0},
	{205, 0, 0},
	{0, 205, 0},
	{205, 205, 0},
	{0, 0, 238},
	{205, 0, 205},
	{0, 205, 205},
	{229, 229, 229},
	{127, 127, 127},
	{255, 0, 0},
	{0, 255, 0},
	{255, 255, 0},
	{92, 92, 255},
	{255, 0, 255},
	{0, 255, 255},
	{255, 255, 255},
}

// extended returns the colour, 1 to 16, that is nearest to what follows a 38
// or 48: 5 and an index of the 256, or 2 and red, green and blue. It is zero
// for anything else.
func extended(codes []int) uint8 {
	switch {
	case len(codes) >= 2 && codes[0] == 5 && codes[1] < 16:
		return uint8(codes[1] + 1) //nolint:gosec // 1 to 16
	case len(codes) >= 2 && codes[0] == 5 && codes[1] < 232:
		// A cube with six steps per side.
		n := codes[1] - 16
		return nearest(step(n/36), step(n/6%6), step(n%6))
	case len(codes) >= 2 && codes[0] == 5 && codes[1] < 256:
		grey := 8 + 10*(codes[1]-232)
		return nearest(grey, grey, grey)
	case len(codes) >= 4 && codes[0] == 2:
		return nearest(min(codes[1], 255), min(codes[2], 255), min(codes[3], 255))
	default:
		return 0
	}
}

// step is the intensity of a step of the cube.
func step(n int) int {
	if n == 0 {
		return 0
	}
	return 55 + 40*n
}

func nearest(r, g, b int) uint8 {
	best, distance := 0, 1<<30
	for i, c := range palette {
		dr, dg, db := r-c[0], g-c[1], b-c[2]
		if d := dr*dr + dg*dg + db*db; d < distance {
			best, distance = i, d
		}
	}
	return uint8(best + 1) //nolint:gosec // 1 to 16
}
