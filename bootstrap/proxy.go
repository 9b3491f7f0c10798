package bootstrap

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// A javaProxy describes how the clients of the AWS SDK for Java connect. By themselves they
// send everything, even to loopback and by https, through the one proxy of http_proxy or
// HTTP_PROXY, ignore HTTPS_PROXY, and read NO_PROXY as patterns with *, without ports,
// networks or the names below a name. Java's system properties replace all of that.
type javaProxy struct {
	proxy *url.URL // nil for none
	// from is the variable or option that names the proxy.
	from string
	// own is the proxy that Java reads from the environment by itself.
	own string
	// direct are the hosts that need no proxy, as patterns of Java's.
	direct []string
	// properties reports whether Java's system properties name the proxy.
	properties bool
}

// newJavaProxy returns how Java is to connect with this environment, which is not nil, and
// these options of Java: as Go does, as far as Java can. endpoints are the URLs that will be
// used, as far as they are known.
func newJavaProxy(env, javaOptions []string, endpoints []*url.URL) *javaProxy {
	variables := variablesOf(env)
	options := namedOptions(env, javaOptions)
	either := func(name string) string { return cmp.Or(variables[name], variables[strings.ToLower(name)]) }
	noProxy := either("NO_PROXY")

	j := &javaProxy{own: variables["HTTP_PROXY"]}
	if small, ok := variables["http_proxy"]; ok {
		j.own = small // Java prefers it, even if it is empty
	}
	if host, port, ok := systemProxy(options); ok {
		j.properties, j.from = true, "-Dhttp.proxyHost"
		if host != "" {
			j.proxy = &url.URL{Scheme: "http", Host: net.JoinHostPort(host, cmp.Or(port, "80"))}
		}
		j.direct = strings.Split(systemProperty(options, "http.nonProxyHosts"), "|")
	} else {
		// Java uses HTTP_PROXY for https too, and people rely on that.
		order := []string{"HTTPS_PROXY", "HTTP_PROXY"}
		if !slices.ContainsFunc(endpoints, isHTTPS) {
			order = order[1:]
		}
		for _, name := range order {
			if j.proxy = parseProxy(either(name)); j.proxy != nil {
				j.from = name
				break
			}
		}
		j.direct = strings.FieldsFunc(noProxy, func(r rune) bool { return r == ',' || r == '|' })
	}
	if j.proxy == nil {
		return j
	}
	j.add("localhost", "127.*")
	for entry := range strings.SplitSeq(noProxy, ",") {
		j.add(javaPatterns(entry)...)
	}
	for _, u := range endpoints {
		none := j.from == "HTTPS_PROXY" && !isHTTPS(u) && either("HTTP_PROXY") == ""
		if (none || goesDirect(noProxy, u)) && !j.goesDirect(u) {
			j.add(quotePattern(u.Hostname()))
		}
	}
	return j
}

func (j *javaProxy) add(patterns ...string) {
	for _, p := range patterns {
		if !slices.Contains(j.direct, p) {
			j.direct = append(j.direct, p)
		}
	}
}

// goesDirect reports whether Java connects to a URL without the proxy.
func (j *javaProxy) goesDirect(u *url.URL) bool {
	host := u.Hostname() // Java does not lower it
	if strings.Contains(host, ":") {
		host = "[" + host + "]" // as Java's URI has it
	}
	return j.proxy == nil || slices.ContainsFunc(j.direct, func(pattern string) bool {
		r, err := regexp.Compile("^(?:" + strings.ReplaceAll(strings.ToLower(pattern), "*", ".*?") + ")$")
		return err == nil && r.MatchString(host)
	})
}

// environment returns the environment in which Java connects this way. It extends http_proxy
// and no_proxy, which Java reads first; the other variables, which a record processor may
// read, stay as they are.
func (j *javaProxy) environment(env []string) []string {
	if j.proxy == nil || j.properties {
		return env
	}
	proxy := *j.proxy
	if proxy.Port() == "" {
		proxy.Host += ":" + portOf(&proxy) // Java knows no default
	}
	env = append(env[:len(env):len(env)], "no_proxy="+strings.Join(j.direct, ","))
	if proxy.String() != j.own {
		env = append(env, "http_proxy="+proxy.String())
	}
	return env
}

// options returns the options with which Java connects this way, to be put after all others.
func (j *javaProxy) options() []string {
	if j.proxy == nil || !j.properties {
		return nil
	}
	return []string{"-Dhttp.nonProxyHosts=" + strings.Join(slices.DeleteFunc(slices.Clone(j.direct), func(p string) bool { return p == "" }), "|")}
}

// name returns the name of the proxy if one of the URLs needs it.
func (j *javaProxy) name(urls []*url.URL) string {
	for _, u := range urls {
		if !j.goesDirect(u) {
			return j.String()
		}
	}
	return ""
}

// String returns the name of the proxy, without its password.
func (j *javaProxy) String() string {
	return redact(j.proxy) + " of " + j.from
}

// parseProxy reads a variable as Go does: it may lack the scheme.
func parseProxy(text string) *url.URL {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" {
		if u, err = url.Parse("http://" + text); err != nil || u.Host == "" {
			return nil
		}
	}
	return u
}

// systemProperty returns a system property that Java's options set.
func systemProperty(options []string, name string) string {
	value := ""
	for _, option := range options {
		if v, ok := strings.CutPrefix(option, "-D"+name+"="); ok {
			value = v
		}
	}
	return value
}

// systemProxy returns the proxy in Java's system properties, and whether any is set for which
// the AWS SDK ignores the environment.
func systemProxy(options []string) (host, port string, ok bool) {
	for _, name := range []string{"proxyHost", "proxyPort", "proxyUser", "proxyPassword", "nonProxyHosts"} {
		ok = ok || systemProperty(options, "http."+name) != ""
	}
	return systemProperty(options, "http.proxyHost"), systemProperty(options, "http.proxyPort"), ok
}

// goesDirect reports whether Go connects to a URL without a proxy: always to this host, and
// if NO_PROXY says so.
func goesDirect(noProxy string, u *url.URL) bool {
	host, port := strings.ToLower(u.Hostname()), portOf(u)
	ip := net.ParseIP(host)
	if host == "localhost" || ip != nil && ip.IsLoopback() {
		return true
	}
	for entry := range strings.SplitSeq(noProxy, ",") {
		entry = strings.ToLower(strings.TrimSpace(entry))
		if entry == "*" {
			return true
		}
		if _, network, err := net.ParseCIDR(entry); err == nil {
			if ip != nil && network.Contains(ip) {
				return true
			}
			continue
		}
		name, only := splitEntry(entry)
		if only != "" && only != port {
			continue
		}
		if other := net.ParseIP(name); other != nil || ip != nil {
			if other.Equal(ip) {
				return true
			}
			continue
		}
		name = strings.TrimPrefix(name, "*")
		if name != "" && (host == name || strings.HasSuffix(host, "."+strings.TrimPrefix(name, "."))) {
			return true
		}
	}
	return false
}

// splitEntry splits an entry of NO_PROXY into host and port.
func splitEntry(entry string) (host, port string) {
	if host, port, err := net.SplitHostPort(entry); err == nil {
		return host, port
	}
	return entry, ""
}

// javaPatterns translates an entry of Go's NO_PROXY for Java. Networks, and ports other than
// AWS's, which Java does not know, are applied to the endpoints instead.
func javaPatterns(entry string) []string {
	entry = strings.ToLower(strings.TrimSpace(entry))
	host, port := splitEntry(entry)
	_, _, err := net.ParseCIDR(entry)
	switch _, isIP := netip.ParseAddr(host); {
	case host == "" || err == nil || port != "" && port != "443":
		return nil
	case host == "*":
		return []string{"*"}
	case isIP == nil:
		return []string{quotePattern(host)}
	case strings.HasPrefix(host, "*."):
		return []string{host}
	case strings.HasPrefix(host, "."):
		return []string{"*" + host}
	}
	return []string{host, "*." + host}
}

// quotePattern returns the pattern for one host. Java lowers patterns, but not hosts. Of the
// special characters only the brackets of IPv6 need quoting.
func quotePattern(host string) string {
	small := strings.ToLower(host)
	switch {
	case strings.Contains(host, ":"):
		return `(?i)\[` + small + `\]`
	case small != host:
		return "(?i)" + small
	}
	return host
}

func isHTTPS(u *url.URL) bool { return u.Scheme == "https" }

// portOf returns the port of a URL of http or https.
func portOf(u *url.URL) string {
	return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}
