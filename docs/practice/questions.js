/* The questions as the site's build wrote them. */

/**
 * @typedef {object} Question
 * @property {string} id
 * @property {string} title
 * @property {string} url from the language's root
 * @property {string} topic
 * @property {string} level junior, mid or senior
 * @property {string} kind
 * @property {number} asked in how many public lists
 * @property {string} sentence HTML
 * @property {string} sixty HTML
 * @property {{level: string, text: string}[]} rubric text is HTML
 * @property {{ask: string, answer: string, to: string}[]} followups ask and answer are HTML, `to` a question's id
 */
/**
 * @typedef {object} Bank
 * @property {{id: string, title: string}[]} topics
 * @property {Record<string, string>} levels
 * @property {Record<string, string>} kinds
 * @property {Question[]} questions the most asked first
 */

/**
 * @param {string} url
 * @returns {Promise<Bank>}
 */
export async function loadBank(url) {
  const reply = await fetch(url);
  if (!reply.ok) throw new Error(`${url}: ${reply.status}`);
  return reply.json();
}
