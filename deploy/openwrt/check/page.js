// Draws the LuCI page with LuCI played: both answers are shown, as text, and a refusal too.
'use strict';
const assert = require('assert');
const source = require('fs').readFileSync(process.argv[2], 'utf8');

const E = (tag, attributes, children) => {
	assert(Array.isArray(children), 'a child that is no list would be markup');
	return children.map(String).join('\n');
};
const fs = {
	exec: (program, [ word ]) => word === 'status'
		? Promise.resolve({ code: 0, stdout: 'consent  <b>no</b>\n', stderr: '' })
		: Promise.reject(new Error('permission denied'))
};
const page = new Function('view', 'fs', 'E', '_', source)({ extend: it => it }, fs, E, text => text);

page.load().then(answers => {
	const drawn = page.render(answers);
	assert(drawn.includes('consent  <b>no</b>'), drawn);
	assert(drawn.includes('permission denied'), drawn);
});
