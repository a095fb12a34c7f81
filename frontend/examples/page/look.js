// What a picture does not say by itself: what is wider than the screen, what can hardly be read, what has no name.
(() => {
  const faults = [];
  const named = (it) => it.tagName.toLowerCase() + (it.className ? "." + it.className : "") + " '" + it.textContent.trim().slice(0, 40) + "'";
  const width = document.documentElement.clientWidth;
  if (document.scrollingElement.scrollWidth > width) faults.push(`the page is ${document.scrollingElement.scrollWidth} px wide on a screen of ${width}`);
  const scrolls = (it) => it && it !== document.body && (["auto", "scroll"].includes(getComputedStyle(it).overflowX) || scrolls(it.parentElement));
  for (const it of document.querySelectorAll("body *")) {
    if (it.getBoundingClientRect().right > width + 1 && !scrolls(it)) faults.push("beyond the edge: " + named(it));
  }
  const rgb = (text) => text.match(/[\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = colour.map((it) => it / 255).map((it) => (it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (it) => {
    for (; it; it = it.parentElement) {
      const colour = rgb(getComputedStyle(it).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  for (const it of document.querySelectorAll("body *")) {
    if (![...it.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    const [one, other] = [light(rgb(getComputedStyle(it).color)), light(ground(it))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(1)}: ` + named(it));
  }
  for (const it of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (!it.labels.length && !it.ariaLabel) faults.push("a field without a name: " + it.name);
  }
  return faults.slice(0, 12);
})()
