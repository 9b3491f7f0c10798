package workspace

// A Platform is what the commands are built for.
type Platform struct{ OS, Arch string }

// String returns GOOS/GOARCH.
func (p Platform) String() string { return p.OS + "/" + p.Arch }

// Platforms are those that the commands are built and released for.
var Platforms = []Platform{
	{"linux", "amd64"},
	{"linux", "arm64"},
	{"darwin", "amd64"},
	{"darwin", "arm64"},
	{"windows", "amd64"},
	{"windows", "arm64"},
}
