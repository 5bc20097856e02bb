// Contrast as WCAG 2 computes it, of all text that a page shows.

/** Returns what falls short of AA: 4.5 to 1, or 3 to 1 where the text is large. */
export const contrastFaults = (page) => page.evaluate(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  // Whatever notation a colour is in, a pixel is in numbers.
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((value, at) => value * a + below[at] * (1 - a));
  const luminance = (colour) => {
    const [r, g, b] = colour.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) layers.unshift(rgba(getComputedStyle(at).backgroundColor));
    return layers.reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const opacity = (node) => {
    let all = 1;
    for (let at = node; at; at = at.parentElement) all *= Number(getComputedStyle(at).opacity);
    return all;
  };
  const faults = new Set();
  let seen = 0;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || node.closest("script, style") || !node.checkVisibility({ visibilityProperty: true })) continue;
    if (node.closest(".sr, thead")?.getBoundingClientRect().width <= 1) continue; // for screen readers only
    const style = getComputedStyle(node);
    const below = ground(node);
    const [r, g, b, a] = rgba(node instanceof SVGElement ? style.fill : style.color);
    const text = over([r, g, b, a * opacity(node)], below);
    const [low, high] = [luminance(text), luminance(below)].sort((one, other) => one - other);
    const contrast = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    seen += 1;
    if (contrast < (large ? 3 : 4.5)) faults.add(`${contrast.toFixed(2)} "${texts.currentNode.data.trim().slice(0, 30)}" ${node.tagName}.${node.className}`);
  }
  // The placeholder is no text node.
  const input = document.getElementById("q");
  const hint = over(rgba(getComputedStyle(input, "::placeholder").color), ground(input));
  const [low, high] = [luminance(hint), luminance(ground(input))].sort((one, other) => one - other);
  if ((high + 0.05) / (low + 0.05) < 4.5) faults.add("the placeholder");
  if (seen < 100) faults.add(`only ${seen} texts were looked at`);
  return [...faults];
});
