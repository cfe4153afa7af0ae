// The chosen view in the address, `#<section>?<key>=<value>&...`, so that a link or a reload shows it again.

const places = [...document.querySelectorAll(".contents li a")].map((link) => document.getElementById(link.getAttribute("href").slice(1)));

/** The id of the last section that begins above or near the top of the window; empty if none does. */
function currentSection() {
  return places.findLast((place) => place.getBoundingClientRect().top < innerHeight / 5)?.id ?? "";
}

const view = (() => {
  const followers = [];
  let section = "";
  let values = new URLSearchParams();

  function read() {
    const [place, query] = location.hash.slice(1).split("?");
    try {
      section = decodeURIComponent(place);
    } catch {
      section = ""; // typed by hand
    }
    if (query === undefined) return false; // an ordinary link to a section keeps the choices
    values = new URLSearchParams(query);
    return true;
  }

  function write() {
    const query = values.toString();
    try {
      history.replaceState(null, "", `#${encodeURIComponent(section)}${query ? `?${query}` : ""}`);
    } catch {
      // browsers limit the rate of changes; the next one stores them all
    }
  }

  function reveal() {
    const target = section && document.getElementById(section);
    if (!target) return;
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    target.scrollIntoView();
  }

  addEventListener("hashchange", () => {
    if (read()) followers.forEach((follow) => follow());
    else write();
    reveal();
  });
  read();

  return {
    get: (key, fallback) => values.get(key) ?? fallback,
    /** Keep a choice and the section in the window; a choice that equals `fallback` is left out of the address. */
    set(key, value, fallback) {
      section = currentSection();
      if (value === fallback) values.delete(key);
      else values.set(key, value);
      write();
    },
    /** Call `follow` when another view is opened. */
    follow: (follow) => followers.push(follow),
    reveal,
  };
})();
